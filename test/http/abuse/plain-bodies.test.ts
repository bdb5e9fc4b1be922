import { once } from 'node:events'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { limits } from '#domain/limits.ts'
import { openRequest, readAnswer } from '../../kit/raw-http.ts'
import { everything, startTestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { bearerApi, cookieApi } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { upload } from '../downloads/downloads.ts'
import { startBystander } from './bystander.ts'
import { drip, isQuiet } from './server-at-rest.ts'

const json = { 'content-type': 'application/json' }
const wrong = { authorization: 'Bearer wrong', ...json }
const mebibyte = 2 ** 20

/** Sends all of a body but its last byte, and keeps the connection. */
function holdBack(url: string, method: string, path: string, headers: Record<string, string>): Socket {
  const socket = openRequest(url, method, path, { ...headers, 'content-length': mebibyte })
  socket.on('error', () => {})
  socket.write(Buffer.alloc(mebibyte - 1, ' '))
  return socket
}

/** What needs no body to be refused. */
const refused = [
  ['POST', '/nope', json, bearerApi, 404],
  ['POST', '/v1/nope', json, bearerApi, 404],
  ['POST', '/api/v1/nope', json, cookieApi, 404],
  ['PUT', '/livez', json, bearerApi, 405],
  ['DELETE', '/api/v1/session', {}, cookieApi, 401],
  ['POST', '/api/v1/session', wrong, cookieApi, 401],
  ['POST', '/api/v1/attachments', json, cookieApi, 401],
  ['PUT', '/v1/attachments/x', wrong, bearerApi, 401],
  ['PUT', '/v1/rooms/1', wrong, bearerApi, 401],
] as const

t.test('bodies nobody asked for are answered at once, and their connections go', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { drainTime: 2000 } })
  const bystander = await startBystander(server)
  const held = refused.flatMap(([method, path, headers, surface, status]) =>
    Array.from({ length: 10 }, () => ({
      socket: holdBack(server.url, method, path, headers),
      surface,
      status,
      what: `${method} ${path}`,
    })),
  )
  const answers = held.map(({ socket }) => readAnswer(socket))
  await bystander.isServed(t, 'while they are held')
  for (const [index, { surface, status, what }] of held.entries()) {
    const answer = await answers[index]
    if (answer === undefined) throw new Error(what)
    if (index % 10 === 0) surface.isError(t, answer, status, /./)
    t.equal(answer.status, status, what)
  }
  await until('the connections are gone', async () => (await connectionsOf(server)) === 0, 6)
  await isQuiet(t, server)
})

t.test('a client that drips after its answer is cut off all the same', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { drainTime: 1000 } })
  const sockets = [
    holdBack(server.url, 'POST', '/nope', json),
    openRequest(server.url, 'GET', '/livez', { 'content-length': mebibyte }),
    openRequest(server.url, 'GET', '/nope', { 'transfer-encoding': 'chunked' }),
  ]
  for (const socket of sockets) socket.resume().on('error', () => {})
  drip(t, sockets.slice(0, 2), 50)
  await Promise.all(sockets.map((socket) => once(socket, 'close')))
  await isQuiet(t, server)
})

t.test('a download with a body that does not end', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { drainTime: 1000 } })
  const { addresses } = await upload(server, new File(['bytes'], 'a.txt'))
  for (const { url, headers } of addresses) {
    const { pathname, search } = new URL(url)
    const socket = openRequest(server.url, 'GET', pathname + search, { ...headers, 'content-length': mebibyte })
    drip(t, [socket], 50)
    t.match(await text(socket), /\r\n\r\nbytes$/)
  }
  await isQuiet(t, server)
})

t.test('a body that is no file has a size', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = { ...(await server.bearer(1, everything)), ...json }
  const cookie = { ...(await server.cookie(1)), ...json }
  const body = (bytes: number) => JSON.stringify({ filename: 'a', more: 'x'.repeat(bytes - 26) })
  const requests = [
    ['POST', '/api/v1/attachments', cookie, cookieApi, limits.plainBody],
    ['PATCH', '/api/v1/attachments/1', cookie, cookieApi, limits.plainBody],
    ['PUT', '/v1/attachments/x', admin, bearerApi, limits.plainBody],
    ['PUT', '/v1/messages/1', admin, bearerApi, limits.plainBody],
    ['PUT', '/v1/rooms/1', admin, bearerApi, limits.roomBody],
  ] as const
  for (const [method, path, headers, surface, most] of requests) {
    t.equal(body(most).length, most)
    for (const how of ['content-length', 'chunked']) {
      const long = body(most + 1)
      const socket =
        how === 'chunked'
          ? openRequest(server.url, method, path, { ...headers, 'transfer-encoding': 'chunked' })
          : openRequest(server.url, method, path, { ...headers, 'content-length': long.length })
      socket.write(how === 'chunked' ? `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n` : long)
      surface.isError(t, await readAnswer(socket), 413, /too large/)
    }
    const whole = { ...headers, connection: 'close', 'content-length': most }
    const socket = openRequest(server.url, method, path, whole)
    socket.write(body(most))
    t.not((await readAnswer(socket)).status, 413, `${method} ${path}: as long as it may be`)
  }
})

t.test('a room may be named with as many members as the limit says', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = { ...(await server.bearer(1, everything)), ...json }
  const memberIds = Array.from({ length: limits.roomMembers }, (_, index) => 1_000_000 + index)
  const put = (ids: number[]) =>
    fetch(`${server.url}/v1/rooms/5`, { method: 'PUT', headers, body: JSON.stringify({ memberIds: ids }) })
  t.equal((await put(memberIds)).status, 200)
  t.equal((await put([...memberIds, 1])).status, 400)
})

t.test('a body that is no file must be there in time', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { plainBodyTime: 1500 } })
  const bearer = await server.bearer(1)
  for (const [path, headers, surface] of [
    ['/api/v1/session', bearer, cookieApi],
    ['/v1/attachments/x', bearer, bearerApi],
  ] as const) {
    const method = path.startsWith('/api') ? 'POST' : 'PUT'
    const socket = openRequest(server.url, method, path, { ...headers, ...json, 'content-length': 1000 })
    drip(t, [socket], 100)
    surface.isError(t, await readAnswer(socket), 408, /did not arrive within 1.5 s/)
  }
  await isQuiet(t, server)
})
