import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { attach } from '../kit/bearer-api.ts'
import { exchangeBytes, openSocket } from '../kit/raw-http.ts'
import { startTestServer } from '../kit/server.ts'

const chat = 'https://chat.example'

t.test('no answer is taken for another type, nor given again unasked', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const { id } = await attach(server, headers)
  const paths = [
    ['/livez', 200],
    ['/readyz', 200],
    ['/metrics', 200],
    ['/docs/errors', 200],
    [`/v1/attachments/${id}`, 200],
    ['/v1/attachments', 200],
    ['/v1/attachments/x', 404],
    ['/api/v1/attachments/1', 401],
    ['/api/v1/nowhere', 404],
    ['/nowhere', 404],
    ['/files/x/y', 403],
    ['/api/v1/attachments/1/%E0%A4', 400],
    ['/v1/%E0%A4', 400],
    [`/api/v1/attachments/1/${'x'.repeat(3000)}`, 404],
  ] as const
  for (const [path, status] of paths) {
    const response = await fetch(server.url + path, { headers })
    t.equal(response.status, status, path)
    t.equal(response.headers.get('x-content-type-options'), 'nosniff', path)
    t.equal(response.headers.get('cache-control'), 'private, no-cache', path)
  }
})

t.test('pages that are allowed can read every error, also those that reach no route', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { CORS_ORIGINS: `${chat}, capacitor://localhost` } })
  const paths = ['/api/v1/nowhere', '/api/v1/attachments/1/%E0%A4', `/v1/attachments/${'x'.repeat(3000)}`, '/files/x/y']
  for (const path of paths) {
    const from = async (origin: string) => (await fetch(server.url + path, { headers: { origin } })).headers
    for (const origin of [chat, 'capacitor://localhost']) {
      const headers = await from(origin)
      t.equal(headers.get('access-control-allow-origin'), origin, path)
      t.equal(headers.get('access-control-allow-credentials'), 'true', path)
      t.match(headers.get('access-control-expose-headers'), 'Accept-Ranges', path)
      t.match(headers.get('vary'), /Origin/i, path)
    }
    t.equal((await from('https://evil.example')).get('access-control-allow-origin'), null, path)
  }
  const longHeader = (origin: string) =>
    exchangeBytes(
      server.url,
      `GET /livez HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
    )
  const answer = await longHeader(chat)
  t.match(answer, /^HTTP\/1\.1 431 /)
  t.match(answer, /\r\nx-content-type-options: nosniff\r\n/i)
  t.match(answer, /\r\naccess-control-allow-origin: https:\/\/chat\.example\r\n/i)
  t.notMatch(await longHeader('https://evil.example'), /access-control-allow-origin/i)
  t.match(await exchangeBytes(server.url, 'NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 .*\r\nvary: Origin\r\n/is)
})

t.test('also a head that is too long, or late, when its origin came in an earlier packet', async (t) => {
  const allowed = /\r\naccess-control-allow-origin: https:\/\/chat\.example\r\n/i
  const timeouts = { headTime: 1000 }
  const one = await startTestServer(t, { store: 'disk', timeouts, env: { CORS_ORIGINS: chat } })
  const begun = `GET /livez HTTP/1.1\r\nHost: x\r\nOrigin: ${chat}\r\nX-Long: `
  const tooLong = await inTwo(one.url, begun, `${'x'.repeat(20_000)}\r\n\r\n`)
  t.match(tooLong, /^HTTP\/1\.1 431 /)
  t.match(tooLong, allowed, 'the only origin that may ask')
  const late = await exchangeBytes(one.url, begun)
  t.match(late, /^HTTP\/1\.1 408 /)
  t.match(late, allowed)

  const env = { CORS_ORIGINS: `${chat}, https://other.example` }
  const two = await startTestServer(t, { store: 'disk', timeouts, env })
  const before = `GET /livez HTTP/1.1\r\nHost: x\r\nOrigin: ${chat}\r\n\r\n`
  const [, second = ''] = (await inTwo(two.url, before, `GET /${'x'.repeat(20_000)}`)).split(/(?=HTTP\/1\.1 431)/)
  t.match(second, allowed, 'the origin of the request before')
  t.notMatch(await exchangeBytes(two.url, begun), /access-control-allow-origin/i, 'it may be either')
})

/** What comes back for bytes whose second half comes after the server has read the first one. */
async function inTwo(url: string, first: string, second: string): Promise<string> {
  const socket = openSocket(url)
  const answer = text(socket)
  socket.write(first)
  // The server reads a packet in one turn, and this thread runs both.
  await delay(50)
  socket.write(second)
  return answer
}
