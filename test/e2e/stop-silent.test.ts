import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { migrationLock } from '#persistence/migration/migrate.ts'
import { bucketSettings, createTestBucket, skipWithoutS3 } from '../kit/bucket.ts'
import { inheritedEnvironment, makeFolder, program } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { openUnread } from '../kit/raw-http.ts'
import { demoOf, type Serving, serveCommand, startServing, uploadFile } from '../kit/serving.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { openTcpLine, type TcpLine } from '../kit/tcp-line.ts'
import { until } from '../kit/until.ts'
import { filesIn } from './stored-files.ts'

// Each mostly waits.
t.jobs = 4

const attachments = '/api/v1/messages/1/attachments'
const graceSeconds = 1
/** Seconds from SIGTERM to the end of the process: the grace, a few for last words, and what a busy machine adds. */
const mostSeconds = graceSeconds + 12

/** Seconds that a process may take to begin, on a busy machine. */
const startSeconds = 60

/** Settings of a server whose Postgres lies behind a line. */
async function behindLine(t: Test): Promise<{ line: TcpLine; env: NodeJS.ProcessEnv }> {
  const line = await openTcpLine(t, await createTestDatabase(t))
  const env = {
    ...{ DATABASE_URL: line.url, DATA_DIR: await makeFolder(t), DEMO: 'true', UPLOAD_LEASE_SECONDS: '3' },
    SHUTDOWN_GRACE_SECONDS: String(graceSeconds),
  }
  return { line, env }
}

/** Settings of a server whose store lies behind a line, too. */
async function behindLines(t: Test) {
  const { line: database, env } = await behindLine(t)
  const bucket = await createTestBucket(t)
  const store = await openTcpLine(t, bucket.endpoint)
  return { database, store, env: { ...env, ...bucketSettings({ ...bucket, endpoint: store.url }) } }
}

async function endsInTime(t: Test, serving: Pick<Serving, 'signal' | 'ended' | 'isGroupAlive'>): Promise<void> {
  const asked = performance.now()
  serving.signal('SIGTERM')
  t.strictSame(await serving.ended, { code: 0, signal: null })
  const seconds = (performance.now() - asked) / 1000
  t.ok(seconds < mostSeconds, `${seconds.toFixed(1)} s`)
  t.notOk(serving.isGroupAlive(), 'no process of ours is left')
}

/** By then every worker has come round, too. */
async function untilUnready({ url }: Serving): Promise<void> {
  await until('readiness tells', async () => (await fetch(`${url}/readyz`)).status === 503)
}

async function listed({ url }: Serving, cookie: string, state: string): Promise<void> {
  const list = async () => (await fetch(url + attachments, { headers: { cookie } })).text()
  await until(`one is ${state}`, async () => (await list()).includes(state))
}

function ask({ url }: Serving, path: string, headers: Record<string, string>): void {
  fetch(url + path, { headers }).catch(() => {})
}

t.test('the database is silent, with requests, an upload and the workers waiting for it', async (t) => {
  const { line, env } = await behindLine(t)
  const serving = await startServing(t, env)
  const { cookie } = await demoOf(serving)
  const form = beginForm(serving.url, attachments, 'files', { cookie })
  await form.send(Buffer.alloc(100_000))
  await listed(serving, cookie, 'UploadFromClientToServerInProgress')
  line.freeze()
  form.finish().catch(() => {})
  for (let count = 0; count < 12; count += 1) ask(serving, attachments, { cookie })
  await untilUnready(serving)
  await endsInTime(t, serving)

  line.mend()
  const next = await startServing(t, env)
  await listed(next, cookie, 'UploadFromClientToServerFailed')
  await until(
    'nothing is left of it',
    async () => (await filesIn(join(env.DATA_DIR as string, 'objects'))).length === 0,
  )
})

t.test('the database is silent, and nobody asked it anything but the workers', async (t) => {
  const { line, env } = await behindLine(t)
  const serving = await startServing(t, env, { command: [process.execPath, program, 'work'] })
  line.freeze()
  await untilUnready(serving)
  await endsInTime(t, serving)
})

/** A server that cannot become ready. */
async function startStuck(t: Test, env: NodeJS.ProcessEnv) {
  const [file = '', ...args] = serveCommand
  const child = spawn(file, args, {
    cwd: await makeFolder(t),
    env: { ...inheritedEnvironment(), PORT: '0', ...env },
    stdio: 'ignore',
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  return { ended, signal: (signal: NodeJS.Signals) => void child.kill(signal), isGroupAlive: () => false }
}

t.test('the database is silent when the server connects', async (t) => {
  const { line, env } = await behindLine(t)
  line.freeze()
  const starting = await startStuck(t, env)
  await until('it connects', () => line.taken > 0, startSeconds)
  await endsInTime(t, starting)
})

t.test('the database keeps the server waiting when it migrates', async (t) => {
  const { line, env } = await behindLine(t)
  const other = postgres(env.DATABASE_URL as string, { max: 1 })
  t.teardown(() => other.end({ timeout: 1 }))
  await other`select pg_advisory_lock(${migrationLock})`
  const starting = await startStuck(t, env)
  const waiting = () => other`select from pg_locks where locktype = 'advisory' and not granted`
  await until('it waits', async () => (await waiting()).length > 0, startSeconds)
  line.freeze()
  await endsInTime(t, starting)
})

t.test(
  'the store is silent, with an upload, a download and the purge waiting for it',
  { skip: skipWithoutS3 },
  async (t) => {
    const { store, env } = await behindLines(t)
    const serving = await startServing(t, env)
    const { cookie } = await demoOf(serving)
    const id = await uploadFile(serving, cookie, 'a.bin', Buffer.alloc(100_000))
    const gone = await uploadFile(serving, cookie, 'b.bin', Buffer.alloc(1000))
    store.freeze()
    const form = beginForm(serving.url, attachments, 'files', { cookie })
    await form.send(Buffer.alloc(12 * 2 ** 20))
    form.finish().catch(() => {})
    ask(serving, `/api/v1/attachments/${id}/a.bin`, { cookie })
    await fetch(`${serving.url}/api/v1/attachments/${gone}`, { method: 'DELETE', headers: { cookie } })
    await endsInTime(t, serving)
  },
)

t.test('clients that read nothing and clients that send nothing', async (t) => {
  const { env } = await behindLine(t)
  const serving = await startServing(t, env)
  const { cookie } = await demoOf(serving)
  const id = await uploadFile(serving, cookie, 'large.bin', Buffer.alloc(24 * 2 ** 20))
  const heads = [
    '',
    'GET / HTTP/1.1\r\n',
    `GET /api/v1/attachments/${id}/large.bin HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\n\r\n`,
    `POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    `POST /api/v1/messages/1/attachments HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\nContent-Length: 99\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b`,
  ]
  for (const head of heads) {
    const socket = openUnread(serving.url, head)
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
  }
  await endsInTime(t, serving)
})
