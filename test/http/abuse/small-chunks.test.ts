import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { limits } from '#domain/limits.ts'
import { chunked, filePart, formOf } from '../../kit/multipart.ts'
import { openRequest, type RawAnswer, readAnswer, sendRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { bearerApi, cookieApi, surfaces } from '../../kit/surfaces.ts'
import { startBystander } from './bystander.ts'
import { isQuiet } from './server-at-rest.ts'

type Headers = Record<string, string>

const long = 4 * limits.smallChunks
const tooSmall = /^The body comes in more than 4096 chunks of fewer than 16 bytes. Send larger ones.$/

async function isTaken(t: Test, server: TestServer, size: number, bytes: number) {
  for (const surface of surfaces) {
    const form = chunked(formOf(filePart(surface, 'x'.repeat(bytes))), size)
    const headers = { ...form.headers, ...(await surface.credentials(server, 2)) }
    const { status } = await sendRaw(server.url, 'POST', surface.path, { ...form, headers })
    t.equal(status, surface.created, `${surface.name}: ${bytes} bytes in chunks of ${size}`)
  }
}

t.test('a body may come in chunks of any size', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  await isTaken(t, server, 1, limits.smallChunks - 1024)
  await isTaken(t, server, limits.meanChunk, 2 ** 20)
  const session = { ...(await server.cookie(2)), 'content-type': 'application/json' }
  const reservation = Buffer.from(JSON.stringify({ messageId: 1, fileName: 'a.txt', fileSize: 7 }))
  const { headers, body } = chunked({ headers: session, body: reservation }, 1)
  t.equal((await sendRaw(server.url, 'POST', '/api/v1/attachments', { headers, body })).status, 201)
  await isQuiet(t, server)
})

t.test('a body in too many small chunks is refused', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { drainTime: 1000 } })
  for (const surface of surfaces) {
    const form = chunked(formOf(filePart(surface, 'x'.repeat(long))), 1)
    const headers = { ...form.headers, ...(await surface.credentials(server, 2)) }
    surface.isError(t, await sendRaw(server.url, 'POST', surface.path, { ...form, headers }), 400, tooSmall)
  }
  await isQuiet(t, server)
})

/** Sends a body in chunks of one byte, far more than are read, and resolves with the answer. */
function flood(
  server: TestServer,
  method: string,
  path: string,
  headers: Headers,
): { socket: Socket; answer: Promise<RawAnswer> } {
  const socket = openRequest(server.url, method, path, { ...headers, 'transfer-encoding': 'chunked' })
  const answer = readAnswer(socket)
  // Node gives no answer to a client whose connection ends in an error.
  socket.on('error', () => {})
  const chunks = Buffer.from('1\r\n \r\n'.repeat(2 ** 18))
  const write = () => {
    while (!socket.destroyed && socket.write(chunks));
  }
  socket.on('drain', write)
  write()
  return { socket, answer }
}

t.test('whatever they are sent to, small chunks harm nobody else', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { drainTime: 3000 } })
  const bystander = await startBystander(server)
  const json = { 'content-type': 'application/json' }
  const session = { ...(await server.cookie(2)), ...json }
  const token = { ...(await server.bearer(2)), ...json }
  const requests = [
    ['POST', '/nope', {}, bearerApi, 404],
    ['PUT', '/livez', {}, bearerApi, 405],
    ['POST', '/api/v1/session', json, cookieApi, 401],
    ['PATCH', '/api/v1/attachments/1', session, cookieApi, undefined],
    ['PUT', '/v1/attachments/x', token, bearerApi, undefined],
    ['GET', '/v1/attachments', token, bearerApi, undefined],
  ] as const
  const floods = requests.flatMap(([method, path, headers, surface, status]) =>
    Array.from({ length: 8 }, () => ({
      ...flood(server, method, path, headers),
      surface,
      status,
      what: `${method} ${path}`,
    })),
  )
  await bystander.isServed(t, 'while they come')
  for (const { answer, surface, status, what, socket } of floods) {
    const answered = await answer.catch(() => undefined)
    if (answered && answered.status !== 200)
      surface.isError(t, answered, status ?? (answered.status === 413 ? 413 : 400), status ? /./ : /chunks|too large/)
    t.ok(answered, what)
    socket.destroy()
  }
  await isQuiet(t, server)
})
