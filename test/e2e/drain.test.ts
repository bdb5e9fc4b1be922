import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, globalAgent, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { makeFolder, noSettings, repository } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { openResponse } from '../kit/http-client.ts'
import { demoOf, downloadFile, type Serving, startServing, uploadFile } from '../kit/serving.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'
import { embeddedProcesses, noneRuns } from './embedded-processes.ts'

const first = randomBytes(200_000)
const second = randomBytes(200_000)
/** More than the sockets between a server and a client that does not read take up. */
const large = randomBytes(24 * 2 ** 20)

/** Resolves when the server says it drains, having asked whether it is still ready. */
async function draining(t: Test, serving: Serving): Promise<void> {
  await until('it drains', () => serving.output().includes('"msg":"draining"'))
  const answer = await fetch(`${serving.url}/readyz`).then(
    ({ status }) => status,
    () => 'refused',
  )
  t.not(answer, 200, 'no longer ready')
}

async function beginUpload({ url }: Serving, cookie: string) {
  const form = beginForm(url, '/api/v1/messages/1/attachments', 'files', { cookie })
  await form.send(first)
  return form
}

function beginDownload({ url }: Serving, cookie: string, id: number): Promise<IncomingMessage> {
  return openResponse(`${url}/api/v1/attachments/${id}/large.bin`, { headers: { cookie }, agent: globalAgent })
}

async function stops(t: Test, serving: Serving): Promise<void> {
  t.strictSame(await serving.ended, { code: 0, signal: null })
  t.notOk(serving.isGroupAlive(), 'no process of ours is left')
}

/** What a Ctrl-C, or a SIGTERM, in the midst of an upload and a download must not harm. */
async function finishesTransfers(
  t: Test,
  start: () => Promise<Serving>,
  ask: (serving: Serving) => void,
  meanwhile: (serving: Serving) => Promise<void> = async () => {},
): Promise<void> {
  const serving = await start()
  const { cookie } = await demoOf(serving)
  const id = await uploadFile(serving, cookie, 'large.bin', large)
  const upload = await beginUpload(serving, cookie)
  const download = await beginDownload(serving, cookie, id)
  ask(serving)
  await draining(t, serving)
  await meanwhile(serving)
  t.ok(large.equals(await buffer(download)), 'the download finishes')
  await upload.send(second)
  const answer = await upload.finish()
  t.equal(answer.status, 200, 'the upload finishes')
  await stops(t, serving)

  const next = await start()
  await demoOf(next)
  const [attachmentId] = JSON.parse(answer.body).attachmentIds
  const kept = await downloadFile(next, cookie, attachmentId, 'slow.bin')
  t.ok(kept.equals(Buffer.concat([first, second])), 'and what was uploaded is kept')
}

/** Settings of a server beside a Postgres that others run. */
async function besidePostgres(t: Test): Promise<NodeJS.ProcessEnv> {
  return { DATABASE_URL: await createTestDatabase(t), DATA_DIR: await makeFolder(t), DEMO: 'true', PORT: '0' }
}

t.test('Ctrl-C with the embedded Postgres', async (t) => {
  const env = { DATA_DIR: join(await makeFolder(t), 'data') }
  const interrupt = (serving: Serving) => serving.signalGroup('SIGINT')
  const running: Parameters<typeof noneRuns>[0] = []
  await finishesTransfers(
    t,
    () => startServing(t, env),
    interrupt,
    async () => {
      running.push(...(await embeddedProcesses(env.DATA_DIR)))
    },
  )
  t.equal(running.length, 2)
  t.ok(noneRuns(running), 'Postgres has ended')
})

t.test('Ctrl-C under npm, where its shell leaves it to npm to pass the signal on too', async (t) => {
  const env = { ...noSettings, ...(await besidePostgres(t)), npm_config_script_shell: '/bin/bash' }
  const npmStart = { command: ['npm', 'start'], cwd: repository }
  await finishesTransfers(
    t,
    () => startServing(t, env, npmStart),
    (serving) => serving.signalGroup('SIGINT'),
  )
})

t.test('SIGTERM', async (t) => {
  const env = await besidePostgres(t)
  await finishesTransfers(
    t,
    () => startServing(t, env),
    (serving) => serving.signal('SIGTERM'),
  )
})

t.test('while it waits for the load balancers, only readiness fails', async (t) => {
  const serving = await startServing(t, { ...(await besidePostgres(t)), SHUTDOWN_WAIT_SECONDS: '3' })
  const { cookie } = await demoOf(serving)
  const ask = (path: string) => fetch(`${serving.url}${path}`, { headers: { cookie } })
  t.equal((await ask('/readyz')).status, 200)
  t.equal((await ask('/livez')).headers.get('connection'), 'keep-alive')

  serving.signal('SIGTERM')
  await until('it is no longer ready', async () => (await ask('/readyz')).status === 503)
  const id = await uploadFile(serving, cookie, 'new.bin', first)
  t.ok(first.equals(await downloadFile(serving, cookie, id, 'new.bin')), 'new requests are taken')
  t.equal((await ask('/livez')).headers.get('connection'), 'keep-alive')

  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => kept.destroy())
  const askAgain = async () => {
    const answer = await openResponse(`${serving.url}/livez`, { agent: kept })
    answer.resume()
    await once(answer, 'end')
    return answer.headers.connection
  }
  await until('an answer ends its connection', async () => (await askAgain()) === 'close')
  await t.rejects(askAgain(), { code: 'ECONNREFUSED' }, 'and no new one is taken')
  await stops(t, serving)
})
