import { sql } from 'drizzle-orm'
import t from 'tap'
import { attach, type BothIds, formWith, postForm, put } from '../kit/bearer-api.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { readJson, send } from '../kit/http-client.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

t.test('the same thing said twenty times at once', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])
  const count = async (query: ReturnType<typeof sql>) => Number((await server.db.execute<{ n: string }>(query))[0]?.n)
  const said = async (path: string, json?: unknown) => {
    const responses = await Promise.all(times(20, () => send(server, 'PUT', path, admin, json)))
    t.same([...new Set(responses.map(({ status }) => status))], [200], path)
    const answers = await Promise.all(responses.map((response) => readJson<BothIds>(response)))
    t.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1, `${path}: equal ids`)
  }

  await said('/v1/users/30')
  t.equal(await count(sql`select count(*) as n from users where id = 30`), 1)
  t.equal(await count(sql`select count(*) as n from rooms where owner_id = 30`), 1)
  t.equal(await count(sql`select count(*) as n from members where user_id = 30`), 1)

  await said('/v1/rooms/30', { memberIds: [30, 31, 32, 33], moderatorIds: [34] })
  t.equal(await count(sql`select count(*) as n from rooms where id = 30`), 1)
  t.equal(await count(sql`select count(*) as n from members where room_id = 30`), 5)
  t.equal(await count(sql`select count(*) as n from rooms where owner_id between 31 and 34`), 4)

  await said('/v1/rooms/30/members/35', { moderator: true })
  t.equal(await count(sql`select count(*) as n from members where room_id = 30 and user_id = 35`), 1)

  await said('/v1/messages/30', { roomId: 30, authorId: 36 })
  t.equal(await count(sql`select count(*) as n from messages where id = 30`), 1)
})

t.test('different members said at once', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])
  const everybody = times(24, (i) => 100 + i)
  await put(server, '/v1/rooms/30', { memberIds: everybody })
  for (let round = 0; round < 4; round++) {
    const responses = await Promise.all(
      times(20, (i) => {
        const memberIds = everybody.filter((id) => (id + i + round) % 3 !== 0)
        if (i % 2 === 0) memberIds.reverse()
        return send(server, 'PUT', '/v1/rooms/30', admin, { memberIds })
      }),
    )
    t.same([...new Set(responses.map(({ status }) => status))], [200], 'none of them fails')
  }
  await put(server, '/v1/rooms/30', { memberIds: [1, 2] })
  const rows = await server.db.execute(sql`select user_id from members where room_id = 30 order by user_id`)
  t.same(
    rows.map(({ user_id }) => Number(user_id)),
    [1, 2],
    'the last one counts',
  )
})

t.test('deleted by twenty at once', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])
  const headers = await server.bearer(2)
  const { id } = await attach(server, headers, undefined, { message_id: '1' })
  for (const path of [`/v1/attachments/${id}`, '/v1/messages/1', '/v1/rooms/1', '/v1/users/2']) {
    const responses = await Promise.all(times(20, () => send(server, 'DELETE', path, admin)))
    const statuses = responses.map(({ status }) => status).sort()
    t.same(statuses, [204, ...Array(19).fill(404)], `one of them deletes ${path}`)
  }
  await until('the bytes are gone', async () => (await server.remains()).objects.length === 0)
})

/** Lets `count` uploads and a deletion of where they go run at once. */
async function race(server: TestServer, place: Record<string, string>, path: string, count: number) {
  const headers = await server.bearer(50)
  const admin = await server.bearer(1, ['admin'])
  const uploads = times(count, (i) =>
    postForm(server, headers, formWith(new File([Buffer.alloc(1 + i * 40_000, 'x')], `${i}.bin`), place)),
  )
  const deletion = send(server, 'DELETE', path, admin)
  const [deleted, ...responses] = await Promise.all([deletion, ...uploads])
  await Promise.all(responses.map((response) => response.text()))
  return { deleted: deleted.status, answers: responses.map(({ status }) => status) }
}

for (const store of ['disk', 's3'] as const)
  t.test(
    `uploads that race the deletion of where they go, on ${store}`,
    { skip: store === 's3' && skipWithoutS3 },
    async (t) => {
      // A lease is how long a late write may lie there; the default would be longer than this test.
      const server = await startTestServer(t, { store, env: { UPLOAD_LEASE_SECONDS: '3' } })
      const seen: number[] = []
      for (let round = 0; round < 9; round++) {
        const id = 1000 + round
        await put(server, `/v1/rooms/${id}`, { memberIds: [50] })
        await put(server, `/v1/messages/${id}`, { roomId: id, authorId: 50 })
        const places: [Record<string, string>, string][] = [
          [{ message_id: `${id}` }, `/v1/messages/${id}`],
          [{ conversation_id: `${id}` }, `/v1/rooms/${id}`],
          [{ message_id: `${id}` }, `/v1/rooms/${id}`],
        ]
        const [place, path] = places[round % 3] ?? [{}, '']
        const { deleted, answers } = await race(server, place, path, 1 + (round % 6))
        t.equal(deleted, 204)
        seen.push(...answers)
      }
      t.same(
        seen.filter((status) => ![201, 404, 409].includes(status)),
        [],
        'each upload either came before or is told so',
      )
      const last = await race(server, {}, '/v1/users/50', 6)
      t.equal(last.deleted, 204)
      t.same(
        last.answers.filter((status) => ![201, 401, 404, 409].includes(status)),
        [],
        'and when the user goes',
      )

      const [visible] = await server.db.execute<{ n: string }>(sql`
      select count(*) as n from attachments where state = 'ReadyForDownloadFromServerToClient' and deleted_at is null`)
      t.equal(Number(visible?.n), 0, 'none is Ready and there')
      await until('nothing is left in the store', async () => {
        const { objects, uploads } = await server.remains()
        return objects.length === 0 && uploads.length === 0
      })
      const [unfinished] = await server.db.execute<{ n: string }>(sql`
      select count(*) as n from objects where purge_at is null`)
      t.equal(Number(unfinished?.n), 0, 'every key is in the hands of the purge')
    },
  )
