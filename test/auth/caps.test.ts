import { sql } from 'drizzle-orm'
import t from 'tap'
import { readJson, send } from '../kit/http-client.ts'
import { startTestServer } from '../kit/server.ts'

t.test('live sessions of a user, and of a token, are so many at most', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false, env: { SESSIONS_PER_USER: '3' } })
  const admin = await server.bearer(1, ['admin'])
  const mint = async () =>
    (await readJson<{ cookie: string }>(await send(server, 'POST', '/v1/sessions', admin, { userId: 2 }))).cookie
  const exchange = async (headers: Record<string, string>) =>
    (await send(server, 'POST', '/api/v1/session', headers)).headers.get('set-cookie')?.split(';')[0] ?? ''
  const statuses = (cookies: string[]) =>
    Promise.all(
      cookies.map(async (cookie) => (await send(server, 'GET', '/api/v1/messages/1/attachments', { cookie })).status),
    )
  const minted: string[] = []
  for (let n = 0; n < 5; n += 1) minted.push(await mint())
  t.same(await statuses(minted), [401, 401, 200, 200, 200], 'the oldest end')

  const [one, two] = [await server.bearer(2), await server.bearer(2)]
  const exchanged: string[] = []
  for (let n = 0; n < 4; n += 1) exchanged.push(await exchange(one))
  const ofOther = await exchange(two)
  t.same(await statuses(exchanged), [401, 200, 200, 200])
  t.same(await statuses([ofOther]), [200], 'those of another token go on')
  t.same(await statuses(minted), [401, 401, 200, 200, 200], 'and so do those of none')

  const logout = await send(server, 'DELETE', '/api/v1/session', { cookie: minted[4] as string })
  t.equal(logout.status, 200)
  minted.push(await mint())
  t.same(await statuses(minted), [401, 401, 200, 200, 401, 200], 'one that has ended makes room')

  await Promise.all(Array.from({ length: 30 }, () => exchange(two)))
  await exchange(two)
  await exchange(two)
  const [row] = await server.db.execute<{ n: number }>(sql`
    select count(*)::int as n from sessions where token_id is not null and revoked_at is null group by token_id
    order by n desc limit 1`)
  t.ok((row?.n ?? 99) <= 20, `at once there may be some more, which later ones end: ${row?.n}`)
})

t.test('new sessions that end the same old ones are not in the way of one another', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false, env: { SESSIONS_PER_USER: '20' } })
  const token = await server.bearer(2)
  await server.db.execute(sql`
    insert into sessions (session_hash, user_id, token_id, scopes, expires_at)
    select n::text, 2, (select max(id) from tokens), '{read}', now() + interval '1 day' from generate_series(1, 2000) n`)
  const statuses = new Set<number>()
  const client = async () => {
    for (let n = 0; n < 20; n += 1) statuses.add((await send(server, 'POST', '/api/v1/session', token)).status)
  }
  await Promise.all(Array.from({ length: 10 }, client))
  t.same(statuses, new Set([200]))
})

t.test('attachments that await their bytes are so many at most', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false, env: { RESERVATIONS_PER_USER: '2' } })
  const [cookie, other] = [await server.cookie(2), await server.cookie(3)]
  const reserve = (headers: Record<string, string>, messageId = 1) =>
    send(server, 'POST', '/api/v1/attachments', headers, { messageId, fileName: 'a.txt', fileSize: 1 })
  const first = await reserve(cookie)
  t.equal(first.status, 201, await first.clone().text())
  t.equal((await reserve(cookie)).status, 201)
  const refused = await reserve(cookie)
  t.equal(refused.status, 429)
  t.match(await refused.json(), {
    httpStatusCode: 429,
    errorText: /2 attachments that await their bytes.* delete some/,
  })
  t.equal((await server.db.execute(sql`select from attachments`)).length, 2, 'and nothing is left of it')
  t.equal((await reserve(other)).status, 201, 'others are not counted')
  t.equal((await reserve(cookie, 9)).status, 404, 'who may not know of a message is not told more')

  const { attachmentId } = await readJson<{ attachmentId: number }>(first)
  t.equal((await send(server, 'DELETE', `/api/v1/attachments/${attachmentId}`, cookie)).status, 200)
  t.equal((await reserve(cookie)).status, 201, 'one that is deleted makes room')
})
