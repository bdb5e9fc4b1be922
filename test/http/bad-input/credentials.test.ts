import { sql } from 'drizzle-orm'
import t from 'tap'
import { createSession, revokeSession } from '#auth/sessions.ts'
import { createToken, revokeToken } from '#auth/tokens.ts'
import { deleteUser } from '#rooms/users.ts'
import { sendRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { bearerApi, cookieApi, type Surface } from '../../kit/surfaces.ts'
import { newestId, storeIsEmpty } from './remains.ts'
import { bearerRoutes, cookieRoutes, reserveRoute } from './routes.ts'

type Credential = [what: string, headers: Record<string, string>]

const scopes = ['read', 'write'] as const
const target = { attachment: '1', message: '1', conversation: '1', fileName: 'a.txt' }
const minuteAgo = () => new Date(Date.now() - 60_000)

async function badCookies(server: TestServer): Promise<Credential[]> {
  const { db } = server
  const expired = await createSession(db, { userId: 1, scopes, expiresAt: minuteAgo() })
  const revoked = await createSession(db, { userId: 1, scopes })
  await revokeSession(db, revoked)
  const { cookie } = await server.cookie(1)
  const { authorization } = await server.bearer(1)
  const hash = await db.execute<{ session_hash: string }>(
    sql`select session_hash from sessions where expires_at > now()`,
  )
  const deletedUser = await server.cookie(66)
  await deleteUser(db, 66)
  return [
    ['none', {}],
    ['an empty cookie', { cookie: 'session=' }],
    ['an unknown session', { cookie: `session=${'A'.repeat(43)}` }],
    ['a session cut short', { cookie: cookie.slice(0, -1) }],
    ['a session with more behind it', { cookie: `${cookie}A` }],
    ['a cookie that cannot be decoded', { cookie: 'session=%zz%00' }],
    ['another cookie', { cookie: cookie.replace('session', 'sessions') }],
    ['what the database keeps', { cookie: `session=${hash[0]?.session_hash}` }],
    ['a session that has expired', { cookie: `session=${expired.session}` }],
    ['a session that was revoked', { cookie: `session=${revoked.session}` }],
    ['a session of a user who was deleted', deletedUser],
    ['a bearer token', { authorization }],
    ['a bearer token as a cookie', { cookie: authorization.replace('Bearer ', 'session=') }],
  ]
}

async function badTokens(server: TestServer): Promise<Credential[]> {
  const { db } = server
  const expired = await createToken(db, { userId: 1, scopes, expiresAt: minuteAgo() })
  const revoked = await createToken(db, { userId: 1, scopes, expiresAt: null })
  await revokeToken(db, { id: revoked.id })
  const { cookie } = await server.cookie(1)
  const { authorization } = await server.bearer(1)
  const deletedUser = await server.bearer(67)
  await deleteUser(db, 67)
  return [
    ['none', {}],
    ['an empty token', { authorization: 'Bearer ' }],
    ['no scheme', { authorization: authorization.replace('Bearer ', '') }],
    ['another scheme', { authorization: authorization.replace('Bearer', 'Basic') }],
    ['an unknown token', { authorization: `Bearer ${'A'.repeat(43)}` }],
    ['a token cut short', { authorization: authorization.slice(0, -1) }],
    ['two tokens', { authorization: `${authorization}, ${authorization}` }],
    ['a token that has expired', { authorization: `Bearer ${expired.token}` }],
    ['a token that was revoked', { authorization: `Bearer ${revoked.token}` }],
    ['a token of a user who was deleted', deletedUser],
    ['a session cookie', { cookie }],
    ['a session as a token', { authorization: cookie.replace('session=', 'Bearer ') }],
  ]
}

async function areRefused(t: Parameters<typeof startTestServer>[0], surface: Surface, text: RegExp): Promise<void> {
  const server = await startTestServer(t, { store: 'disk' })
  const credentials = surface === cookieApi ? await badCookies(server) : await badTokens(server)
  for (const [what, bad] of credentials) {
    for (const route of surface === cookieApi ? [...cookieRoutes, reserveRoute] : bearerRoutes) {
      const { headers, body } = route.form(target)
      const all = { headers: { ...headers, ...bad }, body }
      const answer = await sendRaw(server.url, route.method, route.path(target), all)
      if (route.method === 'HEAD') t.equal(answer.status, 401, what)
      else surface.isError(t, answer, 401, text)
      t.equal(answer.headers['www-authenticate'], surface === bearerApi ? 'Bearer' : undefined)
    }
  }
  t.equal(await newestId(server), 0, 'no row')
  await storeIsEmpty(t, server)
}

t.test('without a session that holds, nothing in the cookie API works', (t) =>
  areRefused(t, cookieApi, /^Wrong Bearer, please renew Web API Access Token$/),
)

t.test('without a token that holds, nothing in the bearer API works', (t) =>
  areRefused(t, bearerApi, /token is missing, unknown, expired or revoked/),
)
