import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { makeFolder } from '../kit/command.ts'
import { Session, textFile } from '../kit/cookie-api.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { OwnPostgres } from '../kit/servers/own-postgres.ts'
import { demoOf, downloadFile, type Serving, startServing, uploadFile } from '../kit/serving.ts'
import { beginForm, beginPut } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'

const uploading = 'UploadFromClientToServerInProgress'
const ready = 'ReadyForDownloadFromServerToClient'
const absent = 'nobody'

/** Connections of one server to its database. */
const poolSize = 10

async function startPostgres(t: Test): Promise<OwnPostgres> {
  const folder = join(await makeFolder(t), 'primary')
  await mkdir(folder)
  const primary = await OwnPostgres.create(folder)
  t.teardown(() => primary.end('SIGQUIT'))
  await primary.start()
  return primary
}

/** @returns the status, and the seconds until it came */
async function timed(asking: Promise<{ status: number }>): Promise<{ status: number; seconds: number }> {
  const askedAt = performance.now()
  const { status } = await asking
  return { status, seconds: (performance.now() - askedAt) / 1000 }
}

/** Reads one thing after the other, until stopped. */
function keepReading(ask: () => Promise<Response>) {
  const answers: { status: number; seconds: number }[] = []
  let isStopped = false
  const read = async () => {
    while (!isStopped) {
      const answer = ask()
      answers.push(await timed(answer))
      await (await answer).arrayBuffer()
    }
  }
  const reading = read()
  return {
    async stop() {
      isStopped = true
      await reading
      return answers
    },
  }
}

async function uploadsUnderWay({ url }: Pick<TestServer, 'url'>): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^stowage_uploads_in_progress (\d+)$/m.exec(text)?.[1])
}

for (const store of ['disk', 's3'] as const)
  t.test(
    `the synchronous standby is away, with the bytes on ${store}`,
    { skip: store === 's3' && skipWithoutS3 },
    async (t) => {
      const primary = await startPostgres(t)
      process.env.TEST_DATABASE_URL = primary.url
      const server = await startTestServer(t, { store, env: { UPLOAD_LEASE_SECONDS: '3' } })
      const session = await Session.of(server, 1)
      const kept = await session.upload(textFile('kept.txt'))
      const published = await session.reserve({ fileName: 'published.txt', fileSize: 12 })
      const put = beginPut(server.url, `/api/v1/attachments/${published}/published.txt`, 12, session.headers)
      await put.send('abcdef')
      await until('its bytes arrive', async () => (await session.metadata(published)).attachmentState === uploading)

      await primary.requireStandby(absent)
      await put.send('ghijkl')
      const last = timed(put.answer as Promise<{ status: number }>)
      const reading = keepReading(() => session.ask('GET', `/attachments/${kept[0]}`))
      const post = () => session.post([textFile()])
      await until('a commit waits', async () => (await primary.countWaiting()) > 0)
      const first = await Promise.all(Array.from({ length: 2 * poolSize }, () => timed(post())))
      for (const { status, seconds } of first) {
        t.equal(status, 503)
        t.ok(seconds < 20, `told after ${seconds} s`)
      }
      await until('readiness tells', async () => (await fetch(`${server.url}/readyz`)).status === 503, 5)
      const next = await Promise.all(Array.from({ length: 2 * poolSize }, () => timed(post())))
      for (const { status, seconds } of next) {
        t.equal(status, 503)
        t.ok(seconds < 2, `told at once: ${seconds} s`)
      }
      t.equal((await session.ask('DELETE', `/attachments/${kept[0]}`)).status, 503)
      const { status, seconds } = await last
      t.equal(status, 503, 'the file has arrived, and nobody can know')
      t.ok(seconds < 20, `told after ${seconds} s`)
      await until('no slot is taken', async () => (await uploadsUnderWay(server)) === 0)
      const waiting = await primary.countWaiting()
      t.ok(waiting > 0 && waiting <= poolSize, `${waiting} connections are taken`)
      const reads = await reading.stop()
      t.ok(reads.length > 5, `${reads.length} reads`)
      for (const { status, seconds } of reads) {
        if (status !== 200) t.fail(`a read was answered ${status}`)
        if (seconds > 6) t.fail(`a read took ${seconds} s`)
      }

      await primary.requireStandby()
      await until('an upload is taken', async () => (await post()).status === 200, 10)
      await until('readiness tells', async () => (await fetch(`${server.url}/readyz`)).status === 200, 5)
      t.equal(await primary.countWaiting(), 0)
      await until('what had come is Ready', async () => (await session.metadata(published)).attachmentState === ready)
      await until('whatever did not arrive has failed', async () => (await server.states())[uploading] === undefined)
      await until('its bytes are gone', async () => {
        const { objects, uploads } = await server.remains()
        return uploads.length === 0 && objects.length === (await server.states())[ready]
      })
      t.equal(await (await session.download(published, 'published.txt')).text(), 'abcdefghijkl')
    },
  )

t.test('SIGTERM while the synchronous standby is away', async (t) => {
  const primary = await startPostgres(t)
  const graceSeconds = 1
  const env = {
    ...{ DATABASE_URL: primary.url, DATA_DIR: await makeFolder(t), DEMO: 'true', UPLOAD_LEASE_SECONDS: '3' },
    SHUTDOWN_GRACE_SECONDS: String(graceSeconds),
  }
  const serving = await startServing(t, env)
  const { cookie } = await demoOf(serving)
  const kept = await uploadFile(serving, cookie, 'kept.txt', Buffer.from('kept'))
  const form = beginForm(serving.url, '/api/v1/messages/1/attachments', 'files', { cookie })
  await form.send(Buffer.from('abc'))
  const list = async ({ url }: Serving) =>
    (await (await fetch(`${url}/api/v1/messages/1/attachments`, { headers: { cookie } })).json()) as {
      attachments: { attachmentId: number; attachmentState: string; fileName: string }[]
    }
  await until('its bytes arrive', async () =>
    (await list(serving)).attachments.some(({ attachmentState }) => attachmentState === uploading),
  )
  await primary.requireStandby(absent)
  form.finish().catch(() => {})
  await until('its commit waits', async () => (await primary.countWaiting()) > 0)
  const askedAt = performance.now()
  serving.signal('SIGTERM')
  t.strictSame(await serving.ended, { code: 0, signal: null })
  const seconds = (performance.now() - askedAt) / 1000
  t.ok(seconds < graceSeconds + 12, `${seconds.toFixed(1)} s`)

  await primary.requireStandby()
  await until('nothing waits', async () => (await primary.countWaiting()) === 0)
  const next = await startServing(t, env)
  const attachments = await until('what had come is Ready', async () => {
    const { attachments } = await list(next)
    return attachments.every(({ attachmentState }) => attachmentState === ready) ? attachments : undefined
  })
  t.equal(attachments?.length, 2)
  for (const { attachmentId, fileName } of attachments ?? []) {
    const bytes = await downloadFile(next, cookie, attachmentId, fileName)
    t.equal(bytes.toString(), attachmentId === kept ? 'kept' : 'abc')
  }
})
