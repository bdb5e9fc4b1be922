import { sql } from 'drizzle-orm'
import t from 'tap'
import { deleteRoom, deleteUser } from '#deletion/delete.ts'
import { putMessage } from '#rooms/messages.ts'
import { deleteMember, putMember, putRoom } from '#rooms/rooms.ts'
import { putUsers } from '#rooms/users.ts'
import { startIdle } from '../kit/abandoned-attempt.ts'
import type { TestServer } from '../kit/server.ts'

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

/** Statements that each connection of the pool keeps, at most. */
async function keptStatements({ db }: TestServer): Promise<number> {
  const counts = await Promise.all(
    times(40, () =>
      db.execute<{ n: number }>(sql`select count(*)::int as n from pg_prepared_statements, pg_sleep(0.05)`),
    ),
  )
  return Math.max(...counts.map(([row]) => row?.n ?? 0))
}

async function rows({ db }: TestServer, query: ReturnType<typeof sql>): Promise<unknown[]> {
  return Array.from(await db.execute(query), (row) => Object.values(row)[0])
}

t.test('any number of members is the same statement', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  const say = async (count: number) => {
    await putRoom(db, 60, { memberIds: times(count, (n) => 100 + n), moderatorIds: [100] })
    await putUsers(
      db,
      times(count, (n) => 100 + n),
    )
  }
  for (let n = 1; n <= 40; n += 1) await say(n)
  const before = await keptStatements(server)
  for (let n = 41; n <= 120; n += 1) await say(n)
  t.ok((await keptStatements(server)) <= before + 2, `${before} statements on a connection, and no more`)
})

t.test('a room of 10,000 is put and put again', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  await db.execute(sql`insert into users (id) select n from generate_series(100000, 150000) n`)
  await db.execute(sql`analyze users`)
  const memberIds = times(10_000, (n) => 1000 + n)
  const timed = async (what: string, room: Parameters<typeof putRoom>[2]) => {
    const startedAt = performance.now()
    await putRoom(db, 60, room)
    const milliseconds = performance.now() - startedAt
    t.ok(milliseconds < 5000, `${what}: ${milliseconds.toFixed(0)} ms`)
  }
  await timed('users who were not known', { memberIds, moderatorIds: [] })
  t.equal((await rows(server, sql`select user_id from members where room_id = 60`)).length, 10_000)
  await timed('again', { memberIds: memberIds.slice(1), moderatorIds: [1000] })
  t.equal((await rows(server, sql`select user_id from members where room_id = 60`)).length, 10_000)
  t.same(await rows(server, sql`select user_id::int from members where room_id = 60 and moderator`), [1000])
})

t.test('what is refused changes nothing', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  await putRoom(db, 60, { memberIds: [61, 62], moderatorIds: [] })
  await putUsers(db, [69])
  await deleteUser(server, 69)
  const knows = async () => ({
    users: await rows(server, sql`select id::int from users where id between 60 and 100 order by id`),
    own: (await rows(server, sql`select id from rooms where owner_id is not null`)).length,
    rooms: await rows(server, sql`select id::int from rooms where id between 60 and 100`),
    members: await rows(server, sql`select room_id || ':' || user_id from members order by room_id, user_id`),
    messages: (await rows(server, sql`select id from messages`)).length,
  })
  const before = await knows()
  const deleted = { code: 'conflict', message: 'User 69 was deleted; take a new id.' }
  await t.rejects(putUsers(db, [70, 69, 71]), deleted)
  await t.rejects(putRoom(db, 60, { memberIds: [63, 69], moderatorIds: [] }), deleted)
  await t.rejects(putRoom(db, 80, { memberIds: [63, 69], moderatorIds: [] }), deleted)
  await t.rejects(putMember(db, 60, 69, false), deleted)
  await t.rejects(putMember(db, 81, 72, false), { code: 'not_found' })
  const [own] = await rows(server, sql`select id from rooms where owner_id = 61`)
  for (const id of [81, Number(own)])
    await t.rejects(deleteMember(db, id, 61), { code: 'not_found', message: 'Room not found' })
  await t.rejects(deleteMember(db, 60, 69), { code: 'not_found', message: 'Member not found' })
  await t.rejects(putMessage(db, 60, { roomId: 60, authorId: 69 }), deleted)
  await t.rejects(putMessage(db, 60, { roomId: 81, authorId: 73 }), { code: 'not_found' })
  await t.rejects(putMessage(db, 1, { roomId: 60, authorId: 74 }), { code: 'conflict' })
  t.same(await knows(), before)
})

t.test('of different members said at once, one say counts as a whole', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  for (let round = 0; round < 10; round += 1) {
    const says = times(6, (n) => times(5, (member) => 100 * (n + 1) + member))
    await Promise.all(says.map((memberIds) => putRoom(db, 60 + round, { memberIds, moderatorIds: [] })))
    const left = await rows(
      server,
      sql`select user_id::int from members where room_id = ${60 + round} order by user_id`,
    )
    t.ok(
      says.some((say) => JSON.stringify(say) === JSON.stringify(left)),
      JSON.stringify(left),
    )
  }
})

t.test('rooms, messages and users said and deleted at once come to no deadlock and are not revived', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  const settled = await Promise.allSettled(
    times(20, (n) => [
      putRoom(db, 60, { memberIds: [70, 71, 72 + n], moderatorIds: [] }),
      putMessage(db, 60 + (n % 3), { roomId: 60, authorId: 72 + n }),
      putMember(db, 60, 90 - n, true),
      putUsers(db, [90 - n, 70, 200 - n]),
      ...(n === 10 ? [deleteRoom(server, 60)] : []),
    ]).flat(),
  )
  const reasons = settled.filter((one) => one.status === 'rejected').map(({ reason }) => reason.code)
  t.same(
    reasons.filter((code) => !['conflict', 'not_found'].includes(code)),
    [],
  )
  await deleteRoom(server, 60).catch(() => {})
  await t.rejects(putRoom(db, 60, { memberIds: [70], moderatorIds: [] }), { code: 'conflict' })
  await t.rejects(putMember(db, 60, 70, false), { code: 'not_found' })
  t.equal(
    (await rows(server, sql`select 1 from members m left join users u on u.id = m.user_id where u.id is null`)).length,
    0,
  )
})
