import t from 'tap'
import { createSession, createToken, findSession } from '#auth/credentials.ts'
import { Session } from '../kit/cookie-api.ts'
import { type Headers, readJson, request, send } from '../kit/http-client.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

/** `POST /api/v1/session`: a token for a cookie. */
async function exchange({ url }: TestServer, headers: Headers) {
  const response = await request(url, 'POST', '/api/v1/session', { headers })
  const setCookie = response.headers.get('set-cookie') ?? ''
  return { response, setCookie, cookie: setCookie.split(';')[0] ?? '' }
}

const read = async ({ url }: TestServer, cookie: string) =>
  (await fetch(`${url}/api/v1/messages/1/attachments`, { headers: { cookie } })).status

const upload = ({ url }: TestServer, cookie: string) => new Session(url, { cookie }).post([new File(['x'], 'x')])

t.test('a session may do what its token may, admin aside', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })

  await t.test('read and write', async (t) => {
    const { response, setCookie, cookie } = await exchange(server, await server.bearer(2))
    t.equal(response.status, 200)
    t.same(await response.json(), { httpStatusCode: 200 })
    t.match(setCookie, /^session=[\w-]{43}; Path=\/; Expires=.+ GMT; HttpOnly; SameSite=Lax$/)
    t.equal(await read(server, cookie), 200)
    t.equal((await upload(server, cookie)).status, 200)
  })

  await t.test('read alone', async (t) => {
    const { cookie } = await exchange(server, await server.bearer(2, ['read']))
    const before = await server.states()
    t.equal(await read(server, cookie), 200)
    const refused = await upload(server, cookie)
    t.equal(refused.status, 403)
    t.match(await refused.json(), { httpStatusCode: 403, errorText: /write/ })
    t.same(await server.states(), before)
  })

  await t.test('admin', async (t) => {
    const uploaded = await upload(server, (await exchange(server, await server.bearer(2))).cookie)
    const { attachmentIds } = await readJson<{ attachmentIds: number[] }>(uploaded)
    const path = `/api/v1/attachments/${attachmentIds[0]}`
    for (const scopes of [['admin'], ['read', 'write', 'admin']] as const) {
      const { cookie } = await exchange(server, await server.bearer(9, scopes))
      t.equal((await send(server, 'DELETE', path, { cookie })).status, scopes.length === 1 ? 403 : 404, `${scopes}`)
    }
    const { cookie } = await exchange(server, await server.bearer(2, ['admin']))
    t.equal(await read(server, cookie), 403, 'of admin alone nothing is left')
    const token = await send(server, 'DELETE', `/v1/attachments/${'A'.repeat(16)}`, { cookie })
    t.equal(token.status, 401, 'and the bearer API does not know it')
  })

  await t.test('a session of its own for each exchange', async (t) => {
    const token = await server.bearer(2)
    const one = await exchange(server, token)
    const two = await exchange(server, token)
    t.not(one.cookie, two.cookie)
    const ended = await send(server, 'DELETE', '/api/v1/session', { cookie: one.cookie })
    t.equal(ended.status, 200)
    t.same(await ended.json(), { httpStatusCode: 200 })
    t.match(ended.headers.get('set-cookie'), /^session=; .*Expires=Thu, 01 Jan 1970/)
    t.equal(await read(server, one.cookie), 401)
    t.equal(await read(server, two.cookie), 200)
    t.equal((await send(server, 'GET', '/v1/attachments', token)).status, 200, 'the token is as it was')
  })
})

t.test('a session ends with its token', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])
  const mint = async (json: unknown) =>
    readJson<{ id: number; token: string; expires_at: number }>(await send(server, 'POST', '/v1/tokens', admin, json))

  const revoked = await mint({ userId: 2 })
  const one = await exchange(server, { authorization: `Bearer ${revoked.token}` })
  t.equal(await read(server, one.cookie), 200)
  await send(server, 'DELETE', `/v1/tokens/${revoked.id}`, admin)
  t.equal(await read(server, one.cookie), 401, 'when that is revoked')
  const dead = await exchange(server, { authorization: `Bearer ${revoked.token}` })
  t.equal(dead.response.status, 401, 'and there is no other to be had')
  t.equal(dead.setCookie, '')

  const short = await mint({ userId: 2, expiresInSeconds: 3 })
  const two = await exchange(server, { authorization: `Bearer ${short.token}` })
  t.equal(await read(server, two.cookie), 200)
  const expires = Date.parse(/Expires=([^;]+)/.exec(two.setCookie)?.[1] ?? '') / 1000
  t.ok(Math.abs(expires - short.expires_at) <= 1, 'the browser is told the same end')
  await until('it ends with the token', async () => (await read(server, two.cookie)) === 401)
  t.ok(Date.now() / 1000 >= short.expires_at)
})

t.test('a session that was to outlive its token does not', async (t) => {
  const { db } = await startTestServer(t, { store: 'disk' })
  const inAnHour = new Date(Date.now() + 3_600_000)
  const sessionOf = async (expiresAt: Date) => {
    const { id: tokenId } = await createToken(db, { userId: 2, scopes: ['read'], expiresAt })
    const { session } = await createSession(db, { userId: 2, scopes: ['read'], tokenId, expiresAt: inAnHour })
    return findSession(db, session)
  }
  t.match(await sessionOf(inAnHour), { userId: 2, scopes: ['read'] })
  t.equal(await sessionOf(new Date(Date.now() - 1000)), undefined)
})

t.test('over https the cookie is Secure', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { PUBLIC_URL: 'https://chat.example' } })
  const { setCookie } = await exchange(server, await server.bearer(2))
  t.match(setCookie, /; HttpOnly; Secure; SameSite=Lax$/)
})
