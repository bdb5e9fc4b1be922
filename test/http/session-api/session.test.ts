import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { createToken, revokeToken } from '#auth/credentials.ts'
import { isError } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { everything, startTestServer, type TestServer } from '../../kit/server.ts'

const wrongBearer = /^Wrong Bearer, please renew Web API Access Token$/
const scopes = ['read', 'write'] as const
const day = 86_400_000

function exchange({ url }: TestServer, token: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/api/v1/session`, { method: 'POST', headers: { authorization: `Bearer ${token}`, ...headers } })
}

function read({ url }: TestServer, cookie: string): Promise<Response> {
  return fetch(`${url}/api/v1/messages/1/attachments`, { headers: { cookie } })
}

/** The one cookie an answer sets: its pair, and its attributes by lower-case name. */
function cookieOf(response: Response): { pair: string; attributes: Map<string, string> } {
  const [line = '', ...more] = response.headers.getSetCookie()
  if (more.length > 0) throw new Error('more than one cookie')
  const [pair = '', ...rest] = line.split('; ')
  const attributes = rest.map((text): [string, string] => {
    const [name = '', value = ''] = text.split('=')
    return [name.toLowerCase(), value]
  })
  return { pair, attributes: new Map(attributes) }
}

for (const [PUBLIC_URL, isSecure, name] of [
  ['https://files.chat.example', true, '__Host-session'],
  ['http://files.chat.example', false, 'session'],
] as const) {
  t.test(`a token is exchanged for a cookie, ${PUBLIC_URL}`, async (t) => {
    const server = await startTestServer(t, { store: 'disk', env: { PUBLIC_URL } })
    const { token } = await createToken(server.db, { userId: 2, scopes, expiresAt: null })
    const response = await exchange(server, token)
    t.equal(response.status, 200)
    t.strictSame(await readJson(response), { httpStatusCode: 200 })
    const { pair, attributes } = cookieOf(response)
    t.match(pair, /^[\w-]+=[\w-]{43}$/, '256 bits')
    t.equal(pair.split('=')[0], name)
    t.ok(attributes.has('httponly'))
    t.equal(attributes.has('secure'), isSecure)
    t.equal(attributes.get('samesite'), 'Lax')
    t.equal(attributes.get('path'), '/')
    t.notOk(attributes.has('domain'))
    const expires = Date.parse(attributes.get('expires') ?? '')
    t.ok(expires > Date.now() + 29 * day && expires < Date.now() + 31 * day, 'thirty days')
    t.equal((await read(server, pair)).status, 200)

    const secret = pair.slice(name.length + 1)
    const kept = await server.db.execute<{ session_hash: string }>(sql`select session_hash from sessions`)
    t.strictSame(
      kept.map(({ session_hash }) => session_hash),
      [createHash('sha256').update(secret).digest('hex')],
      'the database keeps only its sha256',
    )
  })
}

t.test('the cookie goes by the name that is set', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { SESSION_COOKIE: '__Host-stowage' } })
  const { token } = await createToken(server.db, { userId: 2, scopes, expiresAt: null })
  const { pair } = cookieOf(await exchange(server, token))
  t.match(pair, /^__Host-stowage=/)
  t.equal((await read(server, pair)).status, 200)
  t.equal((await read(server, pair.replace('__Host-stowage', 'session'))).status, 401)
  t.equal((await read(server, `theme=dark; ${pair}; lang=ja`)).status, 200, 'among others')
})

t.test('of two cookies of one name neither counts', async (t) => {
  for (const PUBLIC_URL of ['https://files.chat.example', 'http://files.chat.example']) {
    const server = await startTestServer(t, { store: 'disk', env: { PUBLIC_URL } })
    const { sessionCookie: name } = server.config
    const { cookie: mine } = await server.cookie(2)
    const { cookie: planted } = await server.cookie(3)
    t.equal((await read(server, `${mine}; ${name}x=1; x${name}=2`)).status, 200, 'other names are other cookies')
    for (const cookie of [
      `${planted}; ${mine}`,
      `${mine}; ${planted}`,
      `${mine};${mine}`,
      `${name}; ${mine}`,
      `${mine}; ${name}=`,
    ])
      await isError(t, await read(server, cookie), 401, wrongBearer)
  }
})

t.test('a chat on another site gets a cookie that browsers send there', async (t) => {
  const env = { PUBLIC_URL: 'https://files.example', SESSION_SAMESITE: 'none' }
  const server = await startTestServer(t, { store: 'disk', env })
  const { token } = await createToken(server.db, { userId: 2, scopes, expiresAt: null })
  const { attributes } = cookieOf(await exchange(server, token))
  t.equal(attributes.get('samesite'), 'None')
  t.ok(attributes.has('secure'), 'without it browsers drop the cookie')
})

t.test('a session that is ended is over, and its cookie taken back', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { token } = await createToken(server.db, { userId: 2, scopes, expiresAt: null })
  const first = cookieOf(await exchange(server, token)).pair
  const second = cookieOf(await exchange(server, token)).pair
  t.not(first, second)
  const response = await fetch(`${server.url}/api/v1/session`, { method: 'DELETE', headers: { cookie: first } })
  t.equal(response.status, 200)
  t.strictSame(await readJson(response), { httpStatusCode: 200 })
  const { pair, attributes } = cookieOf(response)
  t.equal(pair, 'session=')
  t.ok(Date.parse(attributes.get('expires') ?? '') < Date.now())
  t.equal(attributes.get('path'), '/')
  await isError(t, await read(server, first), 401, wrongBearer)
  t.equal((await read(server, second)).status, 200, 'the other one goes on')
})

t.test('a session ends when its token is revoked', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { id, token } = await createToken(server.db, { userId: 2, scopes, expiresAt: null })
  const { pair } = cookieOf(await exchange(server, token))
  t.equal((await read(server, pair)).status, 200)
  await revokeToken(server.db, { id })
  await isError(t, await read(server, pair), 401, wrongBearer)
})

t.test('a session ends when its token expires', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const expiresAt = new Date(Date.now() + day)
  const { id, token } = await createToken(server.db, { userId: 2, scopes, expiresAt })
  const { pair, attributes } = cookieOf(await exchange(server, token))
  t.equal(Date.parse(attributes.get('expires') ?? ''), Math.floor(expiresAt.getTime() / 1000) * 1000, 'and says so')
  t.equal((await read(server, pair)).status, 200)
  await server.db.execute(sql`update tokens set expires_at = now() where id = ${id}`)
  await isError(t, await read(server, pair), 401, wrongBearer)
})

t.test('without a token that holds there is no cookie', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const expired = await createToken(server.db, { userId: 2, scopes, expiresAt: new Date(Date.now() - 1000) })
  const { cookie } = await server.cookie(2)
  for (const response of [
    await exchange(server, expired.token),
    await exchange(server, 'unknown'),
    await exchange(server, ''),
    await fetch(`${server.url}/api/v1/session`, { method: 'POST' }),
    await fetch(`${server.url}/api/v1/session`, { method: 'POST', headers: { cookie } }),
  ]) {
    t.strictSame(response.headers.getSetCookie(), [])
    await isError(t, response, 401, wrongBearer)
  }
})

t.test('a session carries no admin scope', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { authorization } = await server.bearer(77, everything)
  const { pair } = cookieOf(await exchange(server, authorization.replace('Bearer ', '')))
  const form = new FormData()
  form.append('files', new File(['content'], 'a.txt'))
  const at = `${server.url}/api/v1`
  await fetch(`${at}/messages/1/attachments`, { method: 'POST', headers: await server.cookie(2), body: form })
  const response = await fetch(`${at}/attachments/1`, { method: 'DELETE', headers: { cookie: pair } })
  await isError(t, response, 404, /^Attachment not found$/)
  t.strictSame(await server.states(), { ReadyForDownloadFromServerToClient: 1 })
})
