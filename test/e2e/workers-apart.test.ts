import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeFolder, program } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { demoOf, type Serving, startServing, uploadFile } from '../kit/serving.ts'
import { until } from '../kit/until.ts'
import { filesIn } from './stored-files.ts'

const serveAlone = { command: [process.execPath, program, 'serve', '--no-workers'] }
const workAlone = { command: [process.execPath, program, 'work'] }

/** A server without workers that has taken a file and deleted it again. */
async function startWithDeleted(t: Test) {
  const env = { DATABASE_URL: await createTestDatabase(t), DATA_DIR: await makeFolder(t), UPLOAD_LEASE_SECONDS: '3' }
  const serving = await startServing(t, { ...env, DEMO: 'true' }, serveAlone)
  const { cookie } = await demoOf(serving)
  const kept = await uploadFile(serving, cookie, 'kept.txt', Buffer.from('kept'))
  const deleted = await uploadFile(serving, cookie, 'deleted.txt', Buffer.from('deleted'))
  const address = `${serving.url}/api/v1/attachments/${deleted}`
  t.equal((await fetch(address, { method: 'DELETE', headers: { cookie } })).status, 200)
  t.equal((await fetch(address, { headers: { cookie } })).status, 404)
  return { env, serving, cookie, kept, objects: () => filesIn(join(env.DATA_DIR, 'objects')) }
}

async function statusOf({ url }: Serving, path: string): Promise<number> {
  return (await fetch(`${url}${path}`)).status
}

t.test('serve --no-workers serves, and work does the rest', async (t) => {
  const { env, serving, cookie, kept, objects } = await startWithDeleted(t)
  const working = await startServing(t, env, workAlone)
  await until('what was deleted is gone', async () => (await objects()).length === 1)
  t.equal(await statusOf(working, '/livez'), 200)
  t.equal(await statusOf(working, '/readyz'), 200)
  t.equal(await statusOf(working, '/api/v1/messages/1/attachments'), 404, 'it serves nothing')
  const file = await fetch(`${serving.url}/api/v1/attachments/${kept}/kept.txt`, { headers: { cookie } })
  t.equal(await file.text(), 'kept')
  for (const process of [working, serving]) {
    process.signal('SIGTERM')
    t.strictSame(await process.ended, { code: 0, signal: null })
  }
})

t.test('without any worker, nothing is removed', async (t) => {
  const { serving, objects } = await startWithDeleted(t)
  serving.signal('SIGTERM')
  await serving.ended
  t.equal((await objects()).length, 2, 'it had all the time of its life to do it')
})
