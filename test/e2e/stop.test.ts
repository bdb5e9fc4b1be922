import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeFolder } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { demoOf, type Serving, startServing } from '../kit/serving.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'
import { embeddedProcesses, noneRuns } from './embedded-processes.ts'
import { filesIn } from './stored-files.ts'

const attachments = '/api/v1/messages/1/attachments'

/** A server with an upload under way. */
async function startWithUpload(t: Test, env: NodeJS.ProcessEnv) {
  const serving = await startServing(t, env)
  const { cookie } = await demoOf(serving)
  const form = beginForm(serving.url, attachments, 'files', { cookie })
  const closed = once(form.socket, 'close')
  await form.send(Buffer.alloc(100_000))
  await until('the upload is known', async () => (await statesOf(serving, cookie)).length === 1)
  return { serving, cookie, closed }
}

async function statesOf({ url }: Serving, cookie: string): Promise<string[]> {
  const response = await fetch(`${url}${attachments}`, { headers: { cookie } })
  const answer = (await response.json()) as { attachments: { attachmentState: string }[] }
  return answer.attachments.map(({ attachmentState }) => attachmentState)
}

t.test('when the grace is over the server ends all the same, and what was cut off fails', async (t) => {
  const [url, folder] = [await createTestDatabase(t), await makeFolder(t)]
  const env = { DATABASE_URL: url, DATA_DIR: folder, DEMO: 'true' }
  const { serving, cookie, closed } = await startWithUpload(t, { ...env, SHUTDOWN_GRACE_SECONDS: '1' })
  t.strictSame(await statesOf(serving, cookie), ['UploadFromClientToServerInProgress'])
  serving.signal('SIGTERM')
  t.strictSame(await serving.ended, { code: 0, signal: null })
  await closed

  const next = await startServing(t, env)
  t.strictSame(await statesOf(next, cookie), ['UploadFromClientToServerFailed'], 'written down before it ended')
  await until('nothing is left of it', async () => (await filesIn(join(folder, 'objects'))).length === 0)
})

t.test('a second Ctrl-C ends the server at once, and Postgres with it', async (t) => {
  const dataDir = join(await makeFolder(t), 'data')
  const { serving, closed } = await startWithUpload(t, { DATA_DIR: dataDir })
  const processes = await embeddedProcesses(dataDir)
  serving.signalGroup('SIGINT')
  await until('it drains', () => serving.output().includes('"msg":"draining"'))
  const again = setInterval(() => serving.isGroupAlive() && serving.signalGroup('SIGINT'), 600)
  t.teardown(() => clearInterval(again))
  t.strictSame(await serving.ended, { code: 130, signal: null })
  await closed
  await until('Postgres has ended', () => noneRuns(processes))
})
