import { once } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { filePart, formOf, typeOf } from '../../kit/multipart.ts'
import { openRequest, readAnswer } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { bearerApi, cookieApi, type Surface, surfaces } from '../../kit/surfaces.ts'
import { isQuiet } from './server-at-rest.ts'

/** Sends a head that expects something, and waits before the body. */
function expecting(server: TestServer, request: string, headers: Record<string, string | number>): Socket {
  const [method = '', path = ''] = request.split(' ')
  return openRequest(server.url, method, path, { expect: '100-continue', ...headers })
}

/** What is refused before its body is asked for. */
async function refusals(server: TestServer) {
  const long = { 'content-length': 7_000_000 }
  const json = { 'content-type': 'application/json' }
  const gzip = { 'content-encoding': 'gzip', 'content-length': 100 }
  const [cookie, bearer] = [await server.cookie(2), await server.bearer(2)]
  const stranger = await server.cookie(9)
  return [
    ['POST /v1/attachments', { authorization: 'Bearer wrong', ...typeOf('b'), ...long }, bearerApi, 401],
    ['POST /api/v1/messages/1/attachments', { cookie: 'session=wrong', ...typeOf('b'), ...long }, cookieApi, 401],
    ['POST /api/v1/messages/1/attachments', { ...stranger, ...typeOf('b'), ...long }, cookieApi, 404],
    ['PUT /api/v1/attachments/77/a.bin', { ...cookie, ...long }, cookieApi, 404],
    ['POST /api/v1/session', { authorization: 'Bearer wrong', ...json, ...long }, cookieApi, 401],
    ['POST /api/v1/session', { ...bearer, ...json, ...long }, cookieApi, 413],
    ['POST /api/v1/attachments', { ...cookie, 'content-type': 'text/csv', ...long }, cookieApi, 415],
    ['POST /api/v1/attachments', { ...cookie, 'content-type': 'text/plain', ...long }, cookieApi, 415],
    ['PATCH /api/v1/attachments/1', { ...cookie, ...typeOf('b'), ...long }, cookieApi, 415],
    ['POST /api/v1/attachments', { ...cookie, ...json, ...gzip }, cookieApi, 415],
    ['POST /api/v1/messages/1/attachments', { ...cookie, ...json, ...long }, cookieApi, 415],
    [
      'POST /api/v1/messages/1/attachments',
      { ...cookie, 'content-type': 'multipart/form-data', ...long },
      cookieApi,
      400,
    ],
    ['POST /api/v1/messages/1/attachments', { ...cookie, ...typeOf('b'), ...gzip }, cookieApi, 415],
    ['POST /v1/attachments', { ...bearer, ...json, ...long }, bearerApi, 415],
    ['POST /v1/attachments', { ...bearer, ...typeOf('b'), ...gzip }, bearerApi, 415],
    ['POST /v1/attachments', { ...(await server.bearer(2, ['read'])), ...typeOf('b'), ...long }, bearerApi, 403],
    ['PUT /v1/attachments/x', { ...bearer, 'content-type': 'text/plain', ...long }, bearerApi, 415],
    ['PUT /v1/attachments/x', { ...bearer, ...json, ...long }, bearerApi, 413],
    ['POST /nope', { ...json, ...long }, bearerApi, 404],
    ['POST /livez', { ...json, ...long }, bearerApi, 405],
  ] as const satisfies [string, Record<string, string | number>, Surface, number][]
}

t.test('who is refused gets the final status at once, and is asked for nothing', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const [request, headers, surface, status] of await refusals(server)) {
    const socket = expecting(server, request, headers)
    const answer = await readAnswer(socket)
    t.comment(request)
    surface.isError(t, answer, status, /./)
    t.equal(answer.headers.connection, 'close')
  }
  await isQuiet(t, server)
})

/** Resolves with the interim answer; what comes after it is left to be read. */
async function goesOn(t: Test, socket: Socket): Promise<void> {
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  t.equal(String(bytes), 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.pause()
}

t.test('who is taken is asked for the body, once', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const surface of surfaces) {
    const { headers, body } = formOf(filePart(surface))
    const credentials = await surface.credentials(server, 1)
    const all = { ...headers, ...credentials, connection: 'close', 'content-length': body.length }
    const socket = expecting(server, `POST ${surface.path}`, all)
    await goesOn(t, socket)
    const answer = readAnswer(socket)
    socket.write(body)
    t.equal((await answer).status, surface.created)
  }
  const json = { 'content-type': 'application/json', connection: 'close', 'content-length': 2 }
  const socket = expecting(server, 'POST /api/v1/session', { ...(await server.bearer(1)), ...json })
  await goesOn(t, socket)
  const answer = readAnswer(socket)
  socket.write('{}')
  t.equal((await answer).status, 200)
})

t.test('a client that does not wait is served like any other', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { headers, body } = formOf(filePart(cookieApi))
  const all = { ...headers, ...(await server.cookie(1)), connection: 'close', 'content-length': body.length }
  const socket = expecting(server, `POST ${cookieApi.path}`, all)
  socket.write(body)
  const { status, body: rest } = await readAnswer(socket)
  t.ok(status === 100 ? /^HTTP\/1.1 200 /.test(rest) : status === 200)
})

t.test('what nobody knows cannot be expected', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const surface of surfaces) {
    const headers = { ...(await surface.credentials(server, 1)), expect: 'a-miracle', 'content-length': 1000 }
    surface.isError(t, await readAnswer(expecting(server, `POST ${surface.path}`, headers)), 417, /100-continue/)
  }
  await isQuiet(t, server)
})
