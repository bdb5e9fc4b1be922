import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { Session } from '../../kit/cookie-api.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { beginPut, type SlowUpload } from '../../kit/slow-upload.ts'
import { cookieApi } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { storeIsEmpty } from '../bad-input/remains.ts'
import { hasHistory, isUntouched, ready, rowOf, toReady, uploadFailed, uploading } from './reservations.ts'

const begin = (server: TestServer, session: Session, id: number, headers: Record<string, string> = {}, length = 7) =>
  beginPut(server.url, `/api/v1/attachments/${id}/a.txt`, length, { ...session.headers, ...headers })

async function hasBegun(server: TestServer, id: number): Promise<void> {
  await until('it has begun', async () => (await rowOf(server, id))?.state === uploading)
}

async function isFailed(t: Test, server: TestServer, id: number, failureReason: RegExp): Promise<void> {
  await until('it has failed', async () => (await rowOf(server, id))?.state === uploadFailed)
  t.match(await rowOf(server, id), { attempt: 1, failureReason, isLeased: false })
  await hasHistory(t, server, id, [['Initial'], [uploading, uploadFailed]])
  await storeIsEmpty(t, server)
}

/** Asserts that the slots are free, and tidies up. */
async function takesBytes(t: Test, session: Session): Promise<void> {
  const id = await session.reserve({ fileSize: 7 })
  t.equal((await session.put(id, 'a.txt', 'content', { connection: 'close' })).status, 200)
  t.equal((await session.ask('DELETE', `/attachments/${id}`)).status, 200)
}

const hungUp = /connection closed before the last byte/
const ways: Record<string, (put: SlowUpload) => void> = {
  closes: ({ socket }) => socket.destroy(),
  resets: ({ socket }) => socket.resetAndDestroy(),
}

for (const store of ['s3', 'disk'] as const) {
  const skip = store === 's3' && skipWithoutS3

  t.test(`a client that goes away half-way, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1' } })
    const session = await Session.of(server, 2)
    for (const [way, leave] of Object.entries(ways)) {
      for (const bytes of ['', 'half', Buffer.alloc(17 * 2 ** 20)]) {
        await t.test(`${way} its connection after ${bytes.length} bytes`, async (t) => {
          const length = bytes.length + 3
          const id = await session.reserve({ fileSize: length })
          const before = await connectionsOf(server)
          const put = begin(server, session, id, {}, length)
          await put.send(bytes)
          await hasBegun(server, id)
          leave(put)
          await isFailed(t, server, id, hungUp)
          await until('the connection is gone', async () => (await connectionsOf(server)) <= before)
        })
      }
    }
    await t.test('half-closes, and reads why it failed', async (t) => {
      const id = await session.reserve({ fileSize: 7 })
      const put = begin(server, session, id)
      await put.send('half')
      await hasBegun(server, id)
      put.socket.end()
      cookieApi.isError(t, await put.answer, 400, hungUp)
      await isFailed(t, server, id, hungUp)
    })
    await takesBytes(t, session)
  })

  t.test(`a client that falls silent, on ${store}`, { skip }, async (t) => {
    const env = { UPLOAD_IDLE_SECONDS: '1', MAX_CONCURRENT_UPLOADS: '8', UPLOADS_PER_USER: '8' }
    const server = await startTestServer(t, { store, env })
    const session = await Session.of(server, 2)
    const types: Record<string, string>[] = [
      {},
      { 'content-type': 'application/json' },
      { 'content-type': 'application/x-www-form-urlencoded' },
    ]
    const silences = types.flatMap((headers) => ['', 'half'].map((bytes) => ({ headers, bytes })))
    await Promise.all(
      silences.map(async ({ headers, bytes }) => {
        const id = await session.reserve({ fileSize: 7 })
        const put = begin(server, session, id, headers)
        await put.send(bytes)
        cookieApi.isError(t, await put.answer, 408, /No byte arrived for 1 s/)
        t.match(await rowOf(server, id), { state: uploadFailed }, 'written down before it is answered')
        await isFailed(t, server, id, /No byte arrived for 1 s/)
      }),
    )
    await takesBytes(t, session)
  })

  t.test(`one upload at a time, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1' } })
    const session = await Session.of(server, 2)
    const [first, second] = [await session.reserve({ fileSize: 7 }), await session.reserve({ fileSize: 7 })]
    const put = begin(server, session, first)
    await put.send('cont')
    await hasBegun(server, first)
    const busy = begin(server, session, second)
    await busy.send('content')
    cookieApi.isError(t, await busy.answer, 503, /Too many uploads at once/)
    await isUntouched(t, server, second)
    await put.send('ent')
    t.equal((await put.answer).status, 200)
    t.equal((await session.put(second, 'a.txt', 'content')).status, 200)
    await hasHistory(t, server, second, [['Initial'], toReady])
  })
}

t.test('bytes beyond the Content-Length are no part of the file', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_CONCURRENT_UPLOADS: '1' } })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const put = begin(server, session, id)
  await put.send('cont')
  await hasBegun(server, id)
  await put.send('ent and more')
  t.match(await put.answer, { body: 'This is not a valid HTTP request.' }, 'what follows it would be a request')
  await until('it is Ready', async () => (await rowOf(server, id))?.state === ready)
  t.equal(await (await session.download(id, 'a.txt')).text(), 'content')

  const atOnce = begin(server, session, await session.reserve({ fileSize: 7 }))
  await atOnce.send('content and more')
  t.match(await atOnce.answer, { body: 'This is not a valid HTTP request.' })
  const next = await session.reserve({ fileSize: 7 })
  await until('the slot is free', async () => (await session.put(next, 'a.txt', 'content')).status === 200)
})

t.test('a refused client that still sends a lot reads why', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const length = 20 * 2 ** 20
  const id = await session.reserve({ fileSize: length })
  const first = begin(server, session, id, {}, length)
  await first.send(Buffer.alloc(1000))
  await hasBegun(server, id)
  const second = begin(server, session, id, {}, length)
  await second.send(Buffer.alloc(length))
  cookieApi.isError(t, await second.answer, 409, /on their way/)
  await first.send(Buffer.alloc(length - 1000))
  t.equal((await first.answer).status, 200)
})

t.test('a client whose attachment is deleted reads so, although it has much more to send', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_LEASE_SECONDS: '3' } })
  const session = await Session.of(server, 2)
  const length = 1024 * 2 ** 20
  const id = await session.reserve({ fileSize: length })
  const put = begin(server, session, id, {}, length)
  await put.send(Buffer.alloc(1000))
  await hasBegun(server, id)
  t.equal((await session.ask('DELETE', `/attachments/${id}`)).status, 200)
  const more = Buffer.alloc(64 * 1024)
  while (put.socket.writable) await put.send(more)
  cookieApi.isError(t, await put.answer, 409, /deleted/)
  await storeIsEmpty(t, server)
})

t.test('a client that goes away while its rights are looked up begins nothing', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_CONCURRENT_UPLOADS: '1' } })
  const session = await Session.of(server, 2)
  const leavings = Object.values(ways).flatMap((leave) => ['', 'half', 'content'].map((bytes) => ({ leave, bytes })))
  for (const { leave, bytes } of leavings) {
    const id = await session.reserve({ fileSize: 7 })
    const before = await connectionsOf(server)
    await server.db.transaction(async (holding) => {
      await holding.execute(sql`lock table members in access exclusive mode`)
      const put = begin(server, session, id)
      await put.send(bytes)
      const waiting = () => holding.execute(sql`select from pg_locks where not granted`)
      await until('the lookup waits for the lock', async () => (await waiting()).length > 0)
      leave(put)
      await until('the connection is gone', async () => (await connectionsOf(server)) <= before)
    })
    await takesBytes(t, session)
    await isUntouched(t, server, id)
  }
})
