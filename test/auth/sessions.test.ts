import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { isBearerError } from '../kit/bearer-api.ts'
import { readJson, send } from '../kit/http-client.ts'
import { startTestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

interface Minted {
  id: number
  session: string
  cookie: string
  userId: number
  expires_at: number
}

const days30 = 30 * 86_400

t.test('sessions that the chat backend mints', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { SESSION_COOKIE: 'chat.sid' } })
  const admin = await server.bearer(1, ['admin'])
  const mint = async (json: unknown) => {
    const response = await send(server, 'POST', '/v1/sessions', admin, json)
    t.equal(response.status, 201, JSON.stringify(json))
    return readJson<Minted>(response)
  }
  const use = async (cookie: string) =>
    (await fetch(`${server.url}/api/v1/messages/1/attachments`, { headers: { cookie } })).status

  await t.test('minted and used', async (t) => {
    const now = Date.now() / 1000
    const { id, session, cookie, userId, expires_at } = await mint({ userId: 2 })
    t.ok(Number.isInteger(id))
    t.match(session, /^[\w-]{43}$/, '256 bits')
    t.equal(cookie, `chat.sid=${session}`)
    t.equal(userId, 2)
    t.ok(Math.abs(expires_at - now - days30) < 60)
    t.equal(await use(cookie), 200)
    t.equal(await use(`session=${session}`), 401, 'under its own name only')
    const form = new FormData()
    form.append('files', new File(['x'], 'x'))
    const upload = await fetch(`${server.url}/api/v1/messages/1/attachments`, {
      method: 'POST',
      headers: { cookie },
      body: form,
    })
    t.equal(upload.status, 200, 'it may write')
    const [row] = await server.db.execute(sql`select * from sessions where id = ${id}`)
    t.equal(row?.session_hash, createHash('sha256').update(session).digest('hex'))
    t.notMatch(JSON.stringify(row), session, 'kept as its hash alone')
    await isBearerError(t, await send(server, 'GET', '/v1/attachments', { cookie }), 401, 'authentication_error')
    const asToken = await send(server, 'GET', '/v1/attachments', { authorization: `Bearer ${session}` })
    await isBearerError(t, asToken, 401, 'authentication_error', 'a session is no token')
  })

  await t.test('revoked', async (t) => {
    const one = await mint({ userId: 2 })
    const other = await mint({ userId: 2 })
    t.equal((await send(server, 'DELETE', `/v1/sessions/${one.id}`, admin)).status, 204)
    t.equal(await use(one.cookie), 401)
    t.equal(await use(other.cookie), 200)
    await isBearerError(t, await send(server, 'DELETE', `/v1/sessions/${one.id}`, admin), 404, 'not_found_error')
  })

  await t.test('that end by themselves', async (t) => {
    const { cookie, expires_at } = await mint({ userId: 2, expiresInSeconds: 2 })
    t.equal(await use(cookie), 200)
    await until('the session ends', async () => (await use(cookie)) === 401)
    t.ok(Date.now() / 1000 >= expires_at, 'not before its time')
    for (const expiresInSeconds of [0, -1, 1.5, '60', null, 366 * 86_400]) {
      const response = await send(server, 'POST', '/v1/sessions', admin, { userId: 2, expiresInSeconds })
      await isBearerError(t, response, 400, 'invalid_request_error', String(expiresInSeconds))
    }
  })
})
