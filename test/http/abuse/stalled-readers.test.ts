import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { limits } from '#domain/limits.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { metric } from '../../kit/metric.ts'
import { openRequest, openUnread } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'
import { type Address, upload } from '../downloads/downloads.ts'
import { type ReadLog, watchReads } from '../downloads/watched-store.ts'
import { startBystander } from './bystander.ts'
import { isQuiet } from './server-at-rest.ts'

const mebibyte = 2 ** 20
const readers = 530
const downloads = 'stowage_downloads_in_progress'

const large = () => new File([Buffer.alloc(16 * mebibyte, 'x')], 'large.bin')

/** For a connection of its own. */
const closing = ({ headers }: Address) => ({ ...headers, connection: 'close' })

/** Asks for a file and reads nothing of it. */
function stall({ url, headers }: Address): Socket {
  const { origin, pathname, search } = new URL(url)
  const socket = openRequest(origin, 'GET', pathname + search, headers)
  socket.pause()
  socket.on('error', () => {})
  return socket
}

/** Reads what is there at a rate. @returns what has come when the connection ends, or all the bytes have */
async function readSlowly(socket: Socket, bytesPerSecond: number, size: number): Promise<number> {
  const share = bytesPerSecond / 10
  let received = 0
  let hasEnded = false
  socket.once('end', () => {
    hasEnded = true
  })
  socket.once('close', () => {
    hasEnded = true
  })
  while (!hasEnded && received < size) {
    // The time is the subject here.
    await delay(100)
    const bytes = socket.read(Math.min(share, socket.readableLength)) as Buffer | null
    received += bytes?.length ?? 0
  }
  return received
}

async function startWith(t: Test, store: 'disk' | 's3', env: Record<string, string>, log?: ReadLog) {
  const wrap = log && { wrapStore: watchReads(log) }
  const server = await startTestServer(t, { store, env, ...wrap, timeouts: { rateWindow: 4000 } })
  const { addresses } = await upload(server, large())
  return { server, session: addresses[0], link: addresses[1] }
}

async function refused(server: TestServer): Promise<number> {
  return metric(server, 'stowage_refusals_total{reason="rate_limited"}')
}

t.test(`${readers} readers that do not read`, { skip: skipWithoutS3 }, async (t) => {
  const log: ReadLog = { opened: 0, closed: 0, pulled: 0 }
  // On S3 a reader holds a connection to the store too.
  const env = { DOWNLOAD_IDLE_SECONDS: '10', MINIMUM_RATE: '0' }
  const { server, session, link } = await startWith(t, 's3', env, log)
  const bystander = await startBystander(server)
  const sockets = Array.from({ length: readers }, () => stall(link))
  await until('the link has all that a link gets', async () => (await metric(server, downloads)) === 100)
  await until('others are refused', async () => (await refused(server)) > readers / 2)
  await bystander.isServed(t, 'while they do not read')
  // The uploader has downloads of their own, besides those by their links.
  t.equal((await fetch(session.url, { headers: closing(session) })).status, 200)

  await until('the readers are ended', async () => (await metric(server, downloads)) === 0, 30)
  t.equal(log.opened - log.closed, 0, 'and every read of the store')
  for (const socket of sockets) socket.destroy()
  await isQuiet(t, server)
})

t.test('one user has a quarter of the downloads, by many files too', async (t) => {
  const { server, session, link } = await startWith(t, 'disk', { MAX_CONCURRENT_DOWNLOADS: '8' })
  const bystander = await startBystander(server)
  const other = await upload(server, large())
  const another = await upload(server, large())
  const byLink = [link, other.addresses[1], another.addresses[1]].map(stall)
  const bySession = [session, other.addresses[0], another.addresses[0]].map(stall)
  await until('two by links and two by session', async () => (await metric(server, downloads)) === 4)
  await until('one of each is refused', async () => (await refused(server)) === 2)
  await bystander.isServed(t, 'while one user has all that one user gets')
  for (const socket of [...byLink, ...bySession]) socket.destroy()
  await isQuiet(t, server)
})

t.test('when all slots are taken', async (t) => {
  const { server, session } = await startWith(t, 'disk', { MAX_CONCURRENT_DOWNLOADS: '1' })
  const socket = stall(session)
  await until('it has the slot', async () => (await metric(server, downloads)) === 1)
  const other = await fetch(session.url, { headers: closing(session) })
  t.equal(other.status, 503)
  t.match(other.headers.get('retry-after'), /^\d+$/)
  t.match(await other.json(), { errorText: /Too many downloads at once/ })
  t.equal((await fetch(session.url, { headers: closing(session), method: 'HEAD' })).status, 200, 'HEAD needs none')
  socket.destroy()
  await isQuiet(t, server)
})

t.test('a reader below the minimum rate is ended, one above it gets every byte', async (t) => {
  const env = { MINIMUM_RATE: String(256 * 1024), DOWNLOAD_IDLE_SECONDS: '60' }
  const { server, session } = await startWith(t, 'disk', env)
  const slow = stall(session)
  const reading = readSlowly(slow, 20_000, 16 * mebibyte)
  await until('it has begun', async () => (await metric(server, downloads)) === 1)
  await until('it is ended', async () => (await metric(server, downloads)) === 0)
  slow.destroy()
  t.ok((await reading) < 16 * mebibyte)
  const fast = stall(session)
  t.ok((await readSlowly(fast, 2 * mebibyte, 16 * mebibyte)) >= 16 * mebibyte)
  fast.destroy()
  await isQuiet(t, server)
})

const slowReaders = 'stowage_refusals_total{reason="slow_reader"}'

/** Makes the longest list that can be asked for. @returns a request for it */
async function longestList(server: TestServer): Promise<string> {
  await server.db.execute(sql`
    insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, declared_size,
      file_checksum_algorithm, state, attempt)
    select 'r' || lpad(n::text, 15, 'x'), 1, 1, 1, repeat('"', 255), 'text/plain', 1, 'sha256', 'Initial', 0
    from generate_series(1, ${limits.messagePage}::integer) n`)
  const { cookie } = await server.cookie(2)
  return `GET /api/v1/messages/1/attachments HTTP/1.1\r\nHost: test\r\nCookie: ${cookie}\r\n\r\n`
}

t.test('answers that are no files must be read too', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { DOWNLOAD_IDLE_SECONDS: '1' } })
  const socket = openUnread(server.url)
  // More than the network takes.
  socket.write((await longestList(server)).repeat(1 + limits.pipelined))
  await until('it is ended', async () => (await metric(server, slowReaders)) === 1)
  socket.destroy()
  await isQuiet(t, server)
})

t.test('long answers that nobody reads are bounded together', async (t) => {
  const env = { DOWNLOAD_IDLE_SECONDS: '60', MINIMUM_RATE: '0', REQUESTS_PER_MINUTE: '0' }
  const server = await startTestServer(t, { store: 'disk', env })
  const list = await longestList(server)
  const sockets = Array.from({ length: 120 }, () => openUnread(server.url))
  for (const socket of sockets) socket.write(list.repeat(1 + limits.pipelined))
  await until('those that hold most are ended', async () => (await metric(server, slowReaders)) > 0, 60)
  for (const socket of sockets) socket.destroy()
  await isQuiet(t, server)
})

t.test('an answer that waited for an earlier one must be read too', async (t) => {
  const { server, session } = await startWith(t, 'disk', { DOWNLOAD_IDLE_SECONDS: '1' })
  const socket = openUnread(server.url)
  const { pathname } = new URL(session.url)
  const ask = `GET ${pathname} HTTP/1.1\r\nHost: test\r\nCookie: ${session.headers.cookie}\r\n\r\n`
  socket.write(`GET /livez HTTP/1.1\r\nHost: test\r\n\r\n${ask}`)
  await until('the download has begun', async () => (await metric(server, downloads)) === 1)
  await until('and is ended', async () => (await metric(server, downloads)) === 0)
  t.equal(await metric(server, slowReaders), 1)
  socket.destroy()
  await isQuiet(t, server)
})
