import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { isBearerError } from '../kit/bearer-api.ts'
import { readJson, send } from '../kit/http-client.ts'
import { startTestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

interface Minted {
  id: number
  token: string
  userId: number
  scopes: string[]
  expires_at: number | null
}

t.test('tokens', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])
  const mint = async (json: unknown) => {
    const response = await send(server, 'POST', '/v1/tokens', admin, json)
    t.equal(response.status, 201, JSON.stringify(json))
    return readJson<Minted>(response)
  }
  const use = (token: string, method = 'GET', path = '/v1/attachments', json?: unknown) =>
    send(server, method, path, { authorization: `Bearer ${token}` }, json)

  await t.test('minted and used', async (t) => {
    const { id, token, ...rest } = await mint({ userId: 2 })
    t.same(rest, { userId: 2, scopes: ['read', 'write'], expires_at: null })
    t.ok(Number.isInteger(id))
    t.match(token, /^[\w-]{43}$/, '256 bits')
    t.equal((await use(token)).status, 200)
    await isBearerError(t, await use(token, 'PUT', '/v1/users/5'), 403, 'permission_error', 'no admin unless asked for')
    t.not((await mint({ userId: 2 })).token, token)
    t.equal((await mint({ userId: 77 })).userId, 77, 'for a user not known before')
  })

  await t.test('with the scopes asked for', async (t) => {
    const reader = await mint({ userId: 2, scopes: ['read'] })
    t.same(reader.scopes, ['read'])
    t.equal((await use(reader.token)).status, 200)
    await isBearerError(
      t,
      await use(reader.token, 'PUT', `/v1/attachments/${'A'.repeat(16)}`, {}),
      403,
      'permission_error',
    )
    const { token } = await mint({ userId: 2, scopes: ['admin'] })
    t.equal((await use(token, 'PUT', '/v1/users/5')).status, 200)
    await isBearerError(t, await use(token), 403, 'permission_error', 'admin alone does not read')
    for (const json of [
      { userId: 2, scopes: [] },
      { userId: 2, scopes: ['root'] },
      { userId: 2, scopes: ['read', 'read'] },
      { userId: 2, scopes: 'read' },
      { userId: 2, expiresInSeconds: 0 },
      { userId: 2, expiresInSeconds: -1 },
      { userId: 2, expiresInSeconds: 1.5 },
      { userId: 2, expiresInSeconds: '60' },
      { userId: 2, expiresInSeconds: 1e12 },
      {},
    ]) {
      const response = await send(server, 'POST', '/v1/tokens', admin, json)
      await isBearerError(t, response, 400, 'invalid_request_error', JSON.stringify(json))
    }
  })

  await t.test('revoked', async (t) => {
    const { id, token } = await mint({ userId: 2 })
    const other = await mint({ userId: 2 })
    t.equal((await use(token)).status, 200)
    t.equal((await send(server, 'DELETE', `/v1/tokens/${id}`, admin)).status, 204)
    const refused = await use(token)
    t.equal(refused.headers.get('www-authenticate'), 'Bearer')
    await isBearerError(t, refused, 401, 'authentication_error', 'dead at once')
    await isBearerError(t, await send(server, 'DELETE', `/v1/tokens/${id}`, admin), 404, 'not_found_error', 'again')
    t.equal((await use(other.token)).status, 200, 'others live on')
  })

  await t.test('that end by themselves', async (t) => {
    const before = Date.now() / 1000
    const { token, expires_at } = await mint({ userId: 2, expiresInSeconds: 2 })
    t.ok(expires_at !== null && expires_at >= Math.floor(before + 2) && expires_at <= Date.now() / 1000 + 2)
    t.equal((await use(token)).status, 200)
    await until('the token ends', async () => (await use(token)).status === 401)
    t.ok(Date.now() / 1000 >= (expires_at ?? 0), 'not before its time')
  })

  await t.test('are kept as their hash alone', async (t) => {
    const { id, token } = await mint({ userId: 2 })
    const [row] = await server.db.execute(sql`select * from tokens where id = ${id}`)
    t.equal(row?.token_hash, createHash('sha256').update(token).digest('hex'))
    t.notMatch(JSON.stringify(row), token)
  })
})
