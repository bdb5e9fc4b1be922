import { sql } from 'drizzle-orm'
import t from 'tap'
import { createSession, createToken, revokeToken } from '#auth/credentials.ts'
import { deleteRoom, deleteUser } from '#deletion/delete.ts'
import { resumeDeletions } from '#deletion/resume-deletions.ts'
import { expireRows, Sweeps } from '#deletion/retention.ts'
import { insertAttempt, insertIntent, insertReserved } from '#persistence/attempts.ts'
import { softDelete } from '#persistence/deletion.ts'
import { transition } from '#persistence/transitions.ts'
import { createInternalMessage } from '#rooms/messages.ts'
import { putRoom } from '#rooms/rooms.ts'
import { startIdle, uploading, verifying, why } from '../kit/abandoned-attempt.ts'
import type { TestServer } from '../kit/server.ts'

const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256' }
const writer = { leaseSeconds: 60, requestId: 'one' }
const failed = 'UploadFromClientToServerFailed'
const ready = 'ReadyForDownloadFromServerToClient'

type Table = 'attachments' | 'transitions' | 'messages' | 'objects' | 'sessions' | 'tokens' | 'members' | 'scrubs'

async function count({ db }: TestServer, table: Table): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`select count(*)::int as n from ${sql.identifier(table)}`)
  return row?.n ?? -1
}

/** Moves everything a day and more into the past. */
async function age({ db }: TestServer): Promise<void> {
  const past = sql`interval '25 hours'`
  await db.execute(sql`
    update attachments set modified_at = modified_at - ${past}, deleted_at = deleted_at - ${past}`)
  await db.execute(sql`update messages set created_at = created_at - ${past}`)
  await db.execute(sql`update transitions set at = at - ${past}`)
  await db.execute(sql`update tokens set expires_at = expires_at - ${past}, revoked_at = revoked_at - ${past}`)
  await db.execute(sql`update sessions set expires_at = expires_at - ${past}, revoked_at = revoked_at - ${past}`)
}

async function retainAll(server: TestServer): Promise<void> {
  const sweeps = new Sweeps()
  while (await expireRows({ ...server, wakePurge() {} }, sweeps));
}

t.test('2,000 deleted attachments, and as many failed ones, go with their history and their messages', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  const before = await count(server, 'messages')
  const many = (prefix: string, state: string, deletedAt: ReturnType<typeof sql>) => sql`
    with own as (
      insert into messages (id, public_id, room_id, author_id)
      select nextval('own_ids'), ${prefix} || n, 1, 1 from generate_series(1, 2000) n returning id, public_id
    ), added as (
      insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, declared_size,
        file_checksum_algorithm, state, attempt, deleted_at)
      select public_id, id, 1, 1, 'x', 'text/plain', 1, 'sha256', ${state}, 1, ${deletedAt} from own returning id
    )
    insert into transitions (attachment_id, attempt, "to", reason, actor)
    select id, 1, 'Initial', 'a test', 'user:1' from added`
  await db.execute(many('deleted', failed, sql`now()`))
  await db.execute(many('failed', failed, sql`null`))
  await retainAll(server)
  t.equal(await count(server, 'attachments'), 4000, 'not before their time')
  await age(server)
  await retainAll(server)
  t.equal(await count(server, 'attachments'), 0)
  t.equal(await count(server, 'transitions'), 0)
  t.equal(await count(server, 'messages'), before, "and none of Stowage's own messages is left")
})

t.test('a message that Stowage made and that no upload came to is found', async (t) => {
  const server = await startIdle(t)
  const before = await count(server, 'messages')
  for (let n = 0; n < 3; n += 1) await createInternalMessage(server.db, 1, 1)
  const used = (await createInternalMessage(server.db, 1, 1)) as number
  await insertReserved(server.db, { messageId: used, uploaderId: 1, declaredSize: 1, ...file, ...why })
  await retainAll(server)
  t.equal(await count(server, 'messages'), before + 4)
  await server.db.execute(sql`update messages set created_at = now() - interval '25 hours'`)
  await retainAll(server)
  t.equal(await count(server, 'messages'), before + 1)
})

t.test('what is held up by bytes that are not gone holds up nothing behind it', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  for (let n = 0; n < 2; n += 1) {
    const intent = { messageId: 1, uploaderId: 1, objectKey: `aa/${n}`, ...writer, ...file, ...why }
    const { id } = (await insertIntent(db, intent)) as { id: number }
    await softDelete(db, { id })
  }
  await db.execute(sql`delete from objects where key = 'aa/1'`)
  await age(server)
  await retainAll(server)
  const left = await db.execute(sql`select key from objects join attachments a on a.id = attachment_id`)
  t.same(
    left.map(({ key }) => key),
    ['aa/0'],
  )
  t.equal(await count(server, 'attachments'), 1)
})

t.test('of a file that became Ready late, the attempts before are forgotten', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  const made = await insertReserved(db, { messageId: 1, uploaderId: 1, declaredSize: 1, ...file, ...why })
  const { id } = made as { id: number }
  const computing = 'ChecksumCalculationOnClientSideInProgress'
  const notComputed = 'ChecksumCalculationOnClientSideFailed'
  let from: typeof computing | typeof notComputed | 'Initial' = 'Initial'
  for (const to of [computing, notComputed, computing, notComputed] as const) {
    await transition(db, [{ id, attempt: 0 }], { from, to, ...why })
    from = to
  }
  let seen: Parameters<typeof insertAttempt>[1] = { id, attempt: 0, state: from }
  const beginning = { ...writer, contentType: 'text/plain', ...why }
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    await insertAttempt(db, seen, { ...beginning, objectKey: `aa/${attempt}` })
    await transition(db, [{ id, attempt }], { from: uploading, to: failed, ...why })
    seen = { id, attempt, state: failed }
  }
  await insertAttempt(db, seen, { ...beginning, objectKey: 'aa/6' })
  const attempts = [{ id, attempt: 6, fileSize: 1, fileChecksum: 'ab' }]
  await transition(db, attempts, {
    from: uploading,
    via: { state: verifying, reason: 'x' },
    to: ready,
    leaseSeconds: 60,
    ...why,
  })

  t.equal(await count(server, 'transitions'), 5 + 5 * 2 + 3)
  await retainAll(server)
  t.equal(await count(server, 'transitions'), 18, 'not before their time')
  await age(server)
  await retainAll(server)
  const left = await db.execute(sql`select attempt, "to" from transitions order by id`)
  t.same(
    left.map(({ attempt, to }) => `${attempt} ${to}`),
    ['0 Initial', `6 ${uploading}`, `6 ${verifying}`, `6 ${ready}`],
  )
})

t.test('sessions and tokens that ended', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  const inAnHour = () => new Date(Date.now() + 3_600_000)
  const session = { userId: 2, scopes: ['read'] as const }
  const { id: revoked } = await createToken(db, { ...session, expiresAt: null })
  const { id: expired } = await createToken(db, { ...session, expiresAt: inAnHour() })
  const { id: live } = await createToken(db, { ...session, expiresAt: null })
  await createSession(db, { ...session, tokenId: revoked })
  await createSession(db, { ...session, tokenId: live, expiresAt: inAnHour() })
  await createSession(db, { ...session, expiresAt: inAnHour() })
  await createSession(db, session)
  await createSession(db, { ...session, tokenId: live })
  await revokeToken(db, { id: revoked })
  await retainAll(server)
  t.equal(await count(server, 'sessions'), 5, 'not before their time')
  await age(server)
  await db.execute(sql`update sessions set expires_at = expires_at + interval '25 hours' where token_id = ${revoked}`)
  await retainAll(server)
  const [left] = await db.execute<{ tokens: number[]; sessions: number }>(sql`
    select (select jsonb_agg(id) from tokens) as tokens, (select count(*)::int from sessions) as sessions`)
  t.same(left, { tokens: [live], sessions: 2 }, `neither token ${revoked} nor ${expired}`)
})

t.test('members of what is deleted, credentials of who is deleted, all scrubs but the latest', async (t) => {
  const server = await startIdle(t)
  const { db } = server
  const userIds = Array.from({ length: 5000 }, (_, n) => 1000 + n)
  await putRoom(db, 50, { memberIds: userIds, moderatorIds: [] })
  t.equal(await deleteRoom(server, 50), false, 'too many to be waited for')
  await createSession(db, { userId: 2, scopes: ['read'] })
  await createToken(db, { userId: 2, scopes: ['read'], expiresAt: null })
  await deleteUser(server, 2)
  while (await resumeDeletions({ ...server, wakePurge() {} }));
  const [left] = await db.execute<{ n: number }>(sql`
    select count(*)::int as n from members m join rooms r on r.id = m.room_id join users u on u.id = m.user_id
    where r.deleted_at is not null or u.deleted_at is not null`)
  t.equal(left?.n, 0)
  const [unburied] = await db.execute<{ n: number }>(sql`
    select count(*)::int as n from rooms where deleted_at is not null and buried_at is null`)
  t.equal(unburied?.n, 0)
  await db.execute(sql`
    insert into scrubs (started_at, whole, damaged, missing, orphaned) select now(), n, 0, 0, 0 from generate_series(1, 300) n`)
  await age(server)
  await retainAll(server)
  t.equal(await count(server, 'sessions'), 0)
  t.equal(await count(server, 'tokens'), 0)
  t.equal(await count(server, 'scrubs'), 100)
})

t.test('a table that cannot be emptied keeps no other from its turn', async (t) => {
  const server = await startIdle(t)
  await createSession(server.db, { userId: 2, scopes: ['read'] })
  await age(server)
  await server.db.execute(sql`update sessions set expires_at = now() - interval '25 hours'`)
  await server.db.execute(sql`alter table objects rename to elsewhere`)
  await t.rejects(retainAll(server), /objects/)
  t.equal(await count(server, 'sessions'), 0)
})
