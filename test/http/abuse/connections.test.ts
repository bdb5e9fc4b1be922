import { once } from 'node:events'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { limits } from '#domain/limits.ts'
import { metric } from '../../kit/metric.ts'
import { openSocket, openUnread } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { until } from '../../kit/until.ts'
import { startBystander } from './bystander.ts'
import { isQuiet } from './server-at-rest.ts'

function open({ url }: TestServer, bytes = ''): Socket {
  const socket = openSocket(url)
  socket.on('error', () => {})
  if (bytes !== '') socket.write(bytes)
  return socket
}

const closed = (socket: Socket) => until('the connection is closed', () => socket.closed)
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: test\r\n${more}\r\n`

t.test('connections on which no request comes are closed', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { headTime: 2000 } })
  const bystander = await startBystander(server)
  const silent = Array.from({ length: 50 }, () => open(server))
  const begun = Array.from({ length: 50 }, () => open(server, 'GET /livez HTTP/1.1\r\nHost: te'))
  const timer = setInterval(() => {
    for (const socket of begun) socket.write('s')
  }, 100)
  t.teardown(() => clearInterval(timer))
  await bystander.isServed(t, 'while they are silent')
  for (const answer of await Promise.all(begun.map(text))) t.match(answer, /^HTTP\/1.1 408 /)
  for (const socket of silent) socket.resume()
  await Promise.all(silent.map(closed))
  await isQuiet(t, server)
})

t.test('there are only so many connections', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_CONNECTIONS: '20' } })
  const held = Array.from({ length: 20 }, () => open(server))
  await Promise.all(held.map((socket) => once(socket, 'connect')))
  await until('all are held', async () => (await connectionsOf(server)) === 20)
  const more = Array.from({ length: 30 }, () => open(server))
  for (const socket of more) socket.resume()
  await Promise.all(more.map(closed))
  for (const socket of held.splice(10)) socket.destroy()
  await until('some are free', async () => (await connectionsOf(server)) === 10)
  t.equal(await metric(server, 'stowage_refusals_total{reason="connections"}'), 30)
  t.ok((await metric(server, 'stowage_connections')) >= 10)
  for (const socket of held) socket.destroy()
  await isQuiet(t, server)
})

t.test('requests sent ahead on one connection are served one after another', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const many = limits.pipelined
  const socket = open(server, get('/livez').repeat(many) + get('/livez', 'Connection: close\r\n'))
  t.equal((await text(socket)).match(/HTTP\/1.1 200 OK/g)?.length, many + 1)
})

t.test('a connection with too many that wait is closed, and others do not notice', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const bystander = await startBystander(server)
  const sockets = Array.from({ length: 20 }, () => open(server, get('/readyz').repeat(3000)))
  for (const socket of sockets) socket.resume()
  await bystander.isServed(t, 'while 60,000 requests are sent ahead')
  await Promise.all(sockets.map(closed))
  await isQuiet(t, server)
})

t.test('a request with too many headers is told so', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const withHeaders = (path: string, count: number) => {
    const own = ['Connection: close', ...Array.from({ length: count - 2 }, (_, n) => `x-${n}: x`)]
    return text(open(server, get(path, own.map((line) => `${line}\r\n`).join(''))))
  }
  t.match(await withHeaders('/livez', limits.headers), /^HTTP\/1\.1 200 /)
  for (const count of [limits.headers + 1, 300, 900]) {
    for (const path of ['/livez', '/api/v1/attachments/1', '/v1/attachments'])
      t.match(await withHeaders(path, count), /^HTTP\/1\.1 431 .*too many/s, path)
  }
  await isQuiet(t, server)
})

t.test('the heads of requests that wait are bounded together', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const long = get('/livez', `X: ${'x'.repeat(limits.pipelinedHeads / 2)}\r\n`)
  const socket = open(server, long + long + get('/livez', 'Connection: close\r\n'))
  t.equal((await text(socket)).match(/HTTP\/1.1 200 OK/g)?.length, 3)
  // Nothing is answered before all have been read: they come in one piece.
  const tooLong = open(server, get('/readyz') + long.repeat(3))
  tooLong.resume()
  await closed(tooLong)
  await isQuiet(t, server)
})

t.test('neither a tunnel nor another protocol is opened', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  t.match(await text(open(server, 'CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n')), /^HTTP\/1.1 405 /)
  const upgrade = 'Upgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n'
  t.match(await text(open(server, get('/nope', `Connection: Upgrade, close\r\n${upgrade}`))), /^HTTP\/1.1 404 /)
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
  t.match(await text(open(server, preface)), /^HTTP\/1.1 400 /)
  await isQuiet(t, server)
})

t.test('HTTP/1.0', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  t.match(await text(open(server, 'GET /livez HTTP/1.0\r\n\r\n')), /^HTTP\/1.1 200 [\s\S]*\{"status":"ok"\}$/)
  t.match(await text(open(server, 'GET /livez HTTP/1.1\r\n\r\n')), /^HTTP\/1.1 400 /, 'HTTP/1.1 needs a Host')
})

t.test('chunk extensions and trailers are bounded', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { authorization } = await server.bearer(1)
  const head = `POST /api/v1/session HTTP/1.1\r\nHost: test\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
  const long = 'x'.repeat(64 * 1024)
  for (const body of [`1;${long}`, `0\r\nX: ${long}`]) {
    const socket = open(server, head + body)
    t.match(await text(socket), /^HTTP\/1.1 4\d\d /)
  }
  await isQuiet(t, server)
})

t.test('a client that closes its side behind its requests gets its answers', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { cookie } = await server.cookie(2)
  const halfClosed = (bytes: string) => {
    const socket = open(server)
    socket.end(bytes)
    return text(socket)
  }
  const file = 'Content-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\ncontent'
  const form = `--b\r\n${file}\r\n--b--\r\n`
  const upload = `POST /api/v1/messages/1/attachments HTTP/1.1\r\nHost: test\r\nCookie: ${cookie}\r\n`
  const type = 'Content-Type: multipart/form-data; boundary=b\r\n'
  const uploaded = await halfClosed(`${upload}${type}Content-Length: ${form.length}\r\n\r\n${form}`)
  const id = /"attachmentIds":\[(\d+)\]/.exec(uploaded)?.[1]
  t.ok(id, 'an upload')
  const path = `/api/v1/attachments/${id}`
  const both = await halfClosed(get(path, `Cookie: ${cookie}\r\n`) + get(`${path}/a.txt`, `Cookie: ${cookie}\r\n`))
  t.match(
    both,
    /"attachmentState":"ReadyForDownloadFromServerToClient"[\s\S]*\r\n\r\ncontent$/,
    'what it has sent ahead',
  )
  await isQuiet(t, server)
})

t.test('a client that has gone before its request is looked at is no failure of ours', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  server.app.server.prependListener('request', ({ socket }) => {
    // As it is for a connection that was reset.
    Object.defineProperty(socket, 'remoteAddress', { value: undefined })
  })
  t.equal((await fetch(`${server.url}/v1/attachments`)).status, 400)
})

/** What is answered with the end of the connection. */
const ended = {
  'bytes that are no HTTP': 'NONSENSE\r\n\r\n',
  'too many headers': get('/livez', 'a:\r\n'.repeat(3000)),
  'no host': 'GET /livez HTTP/1.1\r\n\r\n',
  'a tunnel': 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  'a head that does not end': 'GET /livez HTTP/1.1\r\n',
  'a first line that does not end': 'GET /li',
  'two lengths': get('/livez', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
  'a request that is the last': get('/livez', 'Connection: close\r\n'),
  'HTTP/1.0': 'GET /livez HTTP/1.0\r\n\r\n',
  'a body that nobody wants': get('/nope', 'Content-Length: 10\r\n'),
  'a body that breaks': `${get('/nope', 'Transfer-Encoding: chunked\r\n')}zz\r\n`,
  'a body that breaks behind its answer': `${get('/livez', 'Transfer-Encoding: chunked\r\n')}1\r\nx\r\nzz\r\n`,
}

t.test('whose connection was ended is not waited for', async (t) => {
  const timeouts = { headTime: 1000, drainTime: 1000 }
  const server = await startTestServer(t, { store: 'disk', timeouts })
  const { cookie } = await server.cookie(1)
  const json = `Host: test\r\nCookie: ${cookie}\r\nContent-Type: application/json\r\n`
  const chunked = `POST /api/v1/attachments HTTP/1.1\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
  const all = { ...ended, 'a body that breaks while it is read': `${chunked}zz\r\n` }
  for (const [what, bytes] of Object.entries(all)) {
    const socket = openUnread(server.url, bytes, { allowHalfOpen: true })
    await once(socket, 'connect')
    await until(`${what}: the connection is gone`, async () => (await connectionsOf(server)) === 0, 8).then(
      () => t.pass(what),
      (error) => t.fail(String(error)),
    )
    socket.destroy()
    await until('the next one may come', async () => (await connectionsOf(server)) === 0)
  }
})
