import t, { type Test } from 'tap'
import { isError, Session, textFile } from '../../kit/cookie-api.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'

const ours = 'https://files.chat.example'
const sister = 'https://chat.example'
const env = { PUBLIC_URL: ours, CORS_ORIGINS: `${sister}, https://other.example` }

type Headers = Record<string, string>

const allowed: [what: string, headers: Headers][] = [
  ['a program that is no browser', {}],
  ['our own page', { 'sec-fetch-site': 'same-origin', origin: ours }],
  ['our own page, in a browser that sends no Origin', { 'sec-fetch-site': 'same-origin' }],
  ['the user, who typed it in', { 'sec-fetch-site': 'none' }],
  ['our own page, in an old browser', { origin: ours }],
  ['a page of the sister domain', { 'sec-fetch-site': 'same-site', origin: sister }],
  ['a page of the sister domain, in an old browser', { origin: sister }],
  ['a page of another origin that is allowed', { 'sec-fetch-site': 'cross-site', origin: 'https://other.example' }],
]

const refused: [what: string, headers: Headers][] = [
  ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['another site, without Origin', { 'sec-fetch-site': 'cross-site' }],
  ['a sister domain that is not ours', { 'sec-fetch-site': 'same-site', origin: 'https://evil.chat.example' }],
  ['a sister domain, without Origin', { 'sec-fetch-site': 'same-site' }],
  ['another site, in an old browser', { origin: 'https://evil.example' }],
  ['an opaque origin', { origin: 'null' }],
  ['our host over plain http', { origin: 'http://files.chat.example' }],
  ['our host on another port', { origin: 'https://files.chat.example:8443' }],
  ['a host that begins like ours', { origin: 'https://files.chat.example.evil.example' }],
  ['a value that means nothing', { 'sec-fetch-site': 'whatever', origin: 'https://evil.example' }],
]

async function changes(server: TestServer, session: Session, headers: Headers): Promise<Response[]> {
  const body = new FormData()
  body.append('files', textFile())
  const [id = 0] = await session.upload(textFile())
  const reserved = await session.reserve({ fileSize: 7 })
  const json = (fields: object) => ({
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })
  return [
    await session.ask('POST', '/attachments', json({ messageId: 1, fileName: 'a.txt', fileSize: 7 })),
    await session.ask('PATCH', `/attachments/${reserved}`, json({ fileName: 'a.txt' })),
    await session.put(reserved, 'a.txt', 'content', headers),
    await session.ask('POST', '/messages/1/attachments', { headers, body }),
    await session.ask('DELETE', `/attachments/${id}`, { headers }),
    await (await Session.of(server, 2)).ask('DELETE', '/session', { headers }),
  ]
}

t.test('what changes something comes from our own pages, or those that are allowed', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env })
  const session = await Session.of(server, 2)
  for (const [what, headers] of allowed) for (const { ok } of await changes(server, session, headers)) t.ok(ok, what)
  const before = (await session.list()).length
  for (const [what, headers] of refused) {
    for (const response of await changes(server, session, headers)) {
      t.equal(response.status, 403, what)
      await isError(t, response, 403, /comes from another site.*CORS_ORIGINS/)
    }
  }
  t.equal((await session.list()).length, before + refused.length * 2, 'nothing was added or deleted from elsewhere')
})

t.test('what only reads may come from anywhere, as links do', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env })
  const session = await Session.of(server, 2)
  const [id = 0] = await session.upload(textFile())
  for (const [what, headers] of refused) {
    for (const path of [`/attachments/${id}`, `/attachments/${id}/a.txt`, '/messages/1/attachments']) {
      const response = await session.ask('GET', path, { headers })
      t.equal(response.status, 200, what)
      t.equal(response.headers.get('access-control-allow-origin'), null, 'but no other page may see it')
    }
  }
})

async function preflight(t: Test, server: TestServer, origin: string, method: string): Promise<Response> {
  const response = await fetch(`${server.url}/api/v1/messages/1/attachments`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'content-type' },
  })
  t.equal(response.status, 204)
  return response
}

t.test('a preflight from an allowed origin names it and what it may do', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env })
  for (const method of ['POST', 'DELETE', 'PATCH', 'PUT']) {
    const { headers } = await preflight(t, server, sister, method)
    t.equal(headers.get('access-control-allow-origin'), sister)
    t.equal(headers.get('access-control-allow-credentials'), 'true')
    t.ok(headers.get('access-control-allow-methods')?.split(/, */).includes(method), method)
    t.match(headers.get('access-control-allow-headers'), /content-type/i)
    t.match(headers.get('vary'), /origin/i)
  }
  for (const origin of ['https://evil.example', 'null'])
    t.equal((await preflight(t, server, origin, 'POST')).headers.get('access-control-allow-origin'), null)
})

t.test('and its requests are answered so that its page can read them, refusals too', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env })
  const session = await Session.of(server, 2)
  const headers = { origin: sister, 'sec-fetch-site': 'same-site' }
  const [id = 0] = await session.upload(textFile())
  const download = await session.ask('GET', `/attachments/${id}/a.txt`, { headers })
  t.match(download.headers.get('access-control-expose-headers'), /content-disposition/i)
  for (const response of [
    download,
    await session.ask('GET', '/attachments/999', { headers }),
    await fetch(`${server.url}/api/v1/attachments/${id}`, { headers }),
  ]) {
    t.equal(response.headers.get('access-control-allow-origin'), sister, String(response.status))
    t.equal(response.headers.get('access-control-allow-credentials'), 'true')
  }
})

t.test('without CORS_ORIGINS there is only our own', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { PUBLIC_URL: ours } })
  const session = await Session.of(server, 2)
  for (const response of await changes(server, session, { origin: sister, 'sec-fetch-site': 'same-site' })) {
    t.equal(response.headers.get('access-control-allow-origin'), null)
    await isError(t, response, 403, /comes from another site/)
  }
  for (const { ok } of await changes(server, session, { origin: ours })) t.ok(ok)
})
