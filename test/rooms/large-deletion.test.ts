import { sql } from 'drizzle-orm'
import t from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { attach, isBearerError, list, put } from '../kit/bearer-api.ts'
import { send } from '../kit/http-client.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../kit/server.ts'
import { until } from '../kit/until.ts'

const many = 20_000

/** Adds Ready attachments to a message of room 1. */
async function fill({ db }: TestServer, messageId: number, roomId: number, uploaderId: number): Promise<void> {
  await db.execute(sql`
    with added as (
      insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type,
        file_checksum_algorithm, state, attempt, file_size, file_checksum)
      select 'many' || n, ${messageId}::bigint, ${roomId}::bigint, ${uploaderId}::bigint, 'x', 'text/plain', 'sha256',
        'ReadyForDownloadFromServerToClient', 1, 1, 'ab'
      from generate_series(1, ${many}::integer) n returning id
    )
    insert into objects (key, attachment_id, attempt) select 'mm/' || id, id, 1 from added`)
  await db.execute(sql`analyze attachments, objects`)
}

/** A server whose store takes a while for each key, so that a large deletion keeps it busy. */
function startSlow(t: Parameters<typeof startTestServer>[0], options: Partial<TestServerOptions> = {}) {
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    async remove(key, how) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      await store.remove(key, how)
    },
  })
  return startTestServer(t, { store: 'disk', wrapStore, ...options })
}

const pendingOf = async ({ db }: TestServer) => {
  const [row] = await db.execute<{ left: number; unpurged: number }>(sql`
    select (select count(*)::int from attachments where deleted_at is null) as left,
      (select count(*)::int from objects where purge_at is not null and purges = 0) as unpurged`)
  return row as { left: number; unpurged: number }
}

for (const [what, path] of [
  ['message', '/v1/messages/20'],
  ['room', '/v1/rooms/20'],
  ['user', '/v1/users/21'],
] as const)
  t.test(`a ${what} with ${many} attachments`, async (t) => {
    const server = await startSlow(t)
    const admin = await server.bearer(1, ['admin'])
    const reader = await server.bearer(22)
    await put(server, '/v1/rooms/20', { memberIds: [21, 22] })
    await put(server, '/v1/messages/20', { roomId: 20, authorId: 21 })
    await fill(server, 20, 20, 21)
    const oldest = '/v1/attachments/many1'
    await server.db.execute(sql`update attachments set public_id = 'many1xxxxxxxxxxx' where public_id = 'many1'`)
    const [first] = await server.db.execute<{ id: string }>(sql`select min(id) as id from attachments`)
    const read = async () =>
      (await fetch(`${server.url}/api/v1/attachments/${first?.id}`, { headers: await server.cookie(22) })).status
    t.equal(await read(), 200, oldest)

    const startedAt = performance.now()
    const response = await send(server, 'DELETE', path, admin)
    const milliseconds = performance.now() - startedAt
    t.equal(response.status, 204)
    t.ok(milliseconds < 2000, `answered when it is hidden: ${milliseconds.toFixed(0)} ms`)
    t.equal(await read(), 404, 'the oldest is hidden with the rest')
    t.same((await list(server, reader)).data, [])
    t.ok((await pendingOf(server)).left > 0, 'although it is not deleted yet')
    await isBearerError(t, await send(server, 'DELETE', path, admin), 404, 'not_found_error')

    await until('many wait for the purge', async () => (await pendingOf(server)).unpurged > 5000, 60)
    const own = await attach(server, reader)
    t.equal((await send(server, 'DELETE', `/v1/attachments/${own.id}`, reader)).status, 204)
    await until('the bytes of another deletion are gone', async () => (await server.remains()).objects.length === 0, 5)
    t.ok((await pendingOf(server)).unpurged > 4000, 'long before those of the large one')
    await until('all of it is deleted', async () => (await pendingOf(server)).left === 0, 60)
    await until('and recorded as finished', async () => {
      const [row] = await server.db.execute<{ n: number }>(sql`
        select (select count(*) from rooms where deleted_at is not null and buried_at is null)
          + (select count(*) from users where deleted_at is not null and buried_at is null)
          + (select count(*) from messages where deleted_at is not null and buried_at is null) as n`)
      return Number(row?.n) === 0
    })
  })

t.test('a key that cannot be removed is tried less and less often, and keeps no other waiting', async (t) => {
  const tries: number[] = []
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    async remove(key) {
      if (key !== 'aa/bad') return
      tries.push(performance.now())
      throw new Error('this key alone')
    },
  })
  const server = await startTestServer(t, { store: 'disk', wrapStore, env: { UPLOAD_LEASE_SECONDS: '3' } })
  await server.db.execute(sql`
    insert into objects (key, attachment_id, attempt, purge_at) values ('aa/bad', 1, 1, now() - interval '1 hour')`)
  await server.db.execute(sql`
    insert into objects (key, attachment_id, attempt, purge_at)
    select 'aa/' || n, 1 + n, 1, now() from generate_series(1, 1000) n`)
  await until('all others are purged', async () => (await server.unpurged()) === 1, 20)
  await until('it is tried again', async () => {
    const [row] = await server.db.execute<{ n: number; wait: number }>(sql`
      select purge_failures as n, extract(epoch from purge_at - now()) as wait from objects where key = 'aa/bad'`)
    return Number(row?.n) === 2 && Number(row?.wait) > 6
  })
  t.equal(tries.length, 2)
})
