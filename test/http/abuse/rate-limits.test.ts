import t, { type Test } from 'tap'
import { everything, startTestServer, type TestServer } from '../../kit/server.ts'
import { bearerApi, cookieApi, type Surface } from '../../kit/surfaces.ts'

type Headers = Record<string, string>

async function get({ url }: TestServer, path: string, headers: Headers = {}) {
  const response = await fetch(url + path, { headers })
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
}

async function isLimited(t: Test, server: TestServer, surface: Surface, path: string, headers: Headers) {
  const answer = await get(server, path, headers)
  surface.isError(t, answer, 429, /more than 3 in a minute/)
  const seconds = Number(answer.headers['retry-after'])
  t.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `Retry-After: ${seconds}`)
}

const list = '/v1/attachments'
const message = '/api/v1/messages/1/attachments'

t.test('so many requests of one user, by whichever credential', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { REQUESTS_PER_MINUTE: '3' } })
  const [bearer, cookie] = [await server.bearer(1), await server.cookie(1)]
  t.equal((await get(server, list, bearer)).status, 200)
  t.equal((await get(server, message, cookie)).status, 200)
  t.equal((await get(server, list, await server.bearer(1))).status, 200)
  await isLimited(t, server, bearerApi, list, bearer)
  await isLimited(t, server, cookieApi, message, cookie)
  const exchange = await fetch(`${server.url}/api/v1/session`, { method: 'POST', headers: bearer })
  t.equal(exchange.status, 429, 'minting sessions counts')

  t.equal((await get(server, list, await server.bearer(2))).status, 200, 'others are not meant')
  const admin = await server.bearer(3, everything)
  for (let sent = 0; sent < 6; sent++) t.equal((await get(server, list, admin)).status, 200)
  t.equal((await get(server, list, { authorization: 'Bearer wrong' })).status, 401)
})

t.test('so many requests from one address, whoever it is', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { REQUESTS_PER_MINUTE_PER_ADDRESS: '3' } })
  for (const path of ['/nope', list, message]) t.ok([401, 404].includes((await get(server, path)).status), path)
  await isLimited(t, server, bearerApi, list, await server.bearer(1))
  await isLimited(t, server, cookieApi, message, {})
  await isLimited(t, server, bearerApi, '/nope', {})
  await isLimited(t, server, bearerApi, '/files/x/y', {})
  for (const path of ['/livez', '/readyz', '/metrics'])
    for (let sent = 0; sent < 6; sent++) t.equal((await get(server, path)).status, 200, `${path} is always answered`)
})

t.test('an address is believed from a proxy that is trusted, and from nobody else', async (t) => {
  const env = { REQUESTS_PER_MINUTE_PER_ADDRESS: '3' }
  const behind = await startTestServer(t, { store: 'disk', env: { ...env, TRUST_PROXY: '127.0.0.1' } })
  const from = (address: string) => ({ 'x-forwarded-for': address })
  for (let host = 1; host <= 3; host++) t.equal((await get(behind, '/nope', from(`2001:db8:1:2::${host}`))).status, 404)
  await isLimited(t, behind, bearerApi, '/nope', from('2001:db8:1:2:ffff::9'))
  t.equal((await get(behind, '/nope', from('2001:db8:1:3::1'))).status, 404, 'another /64')
  for (let sent = 0; sent < 3; sent++) t.equal((await get(behind, '/nope', from('198.51.100.1'))).status, 404)
  await isLimited(t, behind, bearerApi, '/nope', from('198.51.100.1'))
  t.equal((await get(behind, '/nope', from('198.51.100.2'))).status, 404)
  t.equal((await get(behind, '/nope', from('fe80::1%eth0, not an address'))).status, 404)

  const alone = await startTestServer(t, { store: 'disk', env })
  for (let host = 1; host <= 3; host++) t.equal((await get(alone, '/nope', from(`198.51.100.${host}`))).status, 404)
  await isLimited(t, alone, bearerApi, '/nope', from('198.51.100.9'))
})

t.test('preflights count for the address like what they come before', async (t) => {
  const env = { REQUESTS_PER_MINUTE_PER_ADDRESS: '3', CORS_ORIGINS: 'https://chat.example' }
  const server = await startTestServer(t, { store: 'disk', env })
  const asked = { origin: 'https://chat.example', 'access-control-request-method': 'POST' }
  const preflight = async () => (await fetch(server.url + message, { method: 'OPTIONS', headers: asked })).status
  for (let sent = 0; sent < 3; sent++) t.equal(await preflight(), 204)
  t.equal(await preflight(), 429)
  await isLimited(t, server, bearerApi, list, {})
})

t.test('the refusals can be read by pages of other origins', async (t) => {
  const env = { REQUESTS_PER_MINUTE_PER_ADDRESS: '1', CORS_ORIGINS: 'https://chat.example' }
  const server = await startTestServer(t, { store: 'disk', env })
  await get(server, '/nope')
  const { status, headers } = await get(server, list, { origin: 'https://chat.example' })
  t.equal(status, 429)
  t.equal(headers['access-control-allow-origin'], 'https://chat.example')
  t.match(headers['access-control-expose-headers'], /Retry-After/)
})
