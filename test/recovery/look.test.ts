import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { checkServerIdentity, type IdentityCheck, isHeld, readHold, releaseHold } from '#persistence/server-identity.ts'
import { createTestDatabase } from '../kit/database.ts'

async function migrated(t: Test): Promise<{ url: string; db: Database }> {
  const url = await createTestDatabase(t)
  await migrateDatabase(url)
  const { db, close } = openDatabase(url)
  t.teardown(close)
  return { url, db }
}

/** As if the rows had been written on another server. */
async function pretend(db: Database, { system, timeline = sql`timeline` }: { system?: string; timeline?: unknown }) {
  await db.execute(sql`
    update database_identity set timeline = ${timeline}, system_identifier = ${system ?? sql`system_identifier`}`)
}

const sequences = ['attachments_id_seq', 'transitions_id_seq', 'tokens_id_seq', 'sessions_id_seq', 'own_ids']

/** The last id that each sequence has given out. */
async function positions(db: Database): Promise<Record<string, number>> {
  const rows = await db.execute<{ name: string; last: string }>(sql`
    select sequencename as name, coalesce(last_value, start_value - 1) as last from pg_sequences`)
  return Object.fromEntries(rows.map(({ name, last }) => [name, Number(last)]))
}

t.test('the first look only notes the server, and so does every further one', async (t) => {
  const { db } = await migrated(t)
  t.equal(await isHeld(db), false, 'nobody has looked yet')
  const [server] = await db.execute(sql`
    select system_identifier::text as "systemIdentifier", 1 as timeline from pg_control_system()`)
  const looks = await Promise.all(Array.from({ length: 8 }, () => checkServerIdentity(db, 'hold')))
  for (const look of looks) t.strictSame(look, { server: { ...server }, before: undefined, heldSince: undefined })
  t.equal(await isHeld(db), false)
  t.match(await positions(db), { attachments_id_seq: 0, transitions_id_seq: 0, tokens_id_seq: 0, sessions_id_seq: 0 })
})

for (const [what, changed] of [
  ['a promoted standby', { timeline: sql`timeline + 3` }],
  ['a copy on another system', { system: '1234567890123456789' }],
] as const)
  t.test(`${what}: of many replicas one passes over ids and begins a hold`, async (t) => {
    const { db } = await migrated(t)
    await checkServerIdentity(db, 'hold')
    const before = await positions(db)
    await pretend(db, changed)
    t.equal(await isHeld(db), true, 'before anybody has looked')

    const looks = await Promise.all(Array.from({ length: 8 }, () => checkServerIdentity(db, 'hold')))
    t.equal(looks.filter((look) => look.before).length, 1)
    for (const { heldSince } of looks) t.ok(heldSince)
    const after = await positions(db)
    for (const name of sequences) t.equal((after[name] ?? 0) - (before[name] ?? 0), 1_000_001, name)
    t.equal(await isHeld(db), true)

    const heldSince = (await readHold(db)) as Date
    t.equal(await releaseHold(db, new Date(heldSince.getTime() - 1)), false, 'another hold goes on')
    t.equal(await isHeld(db), true)
    t.equal(await releaseHold(db, heldSince), true)
    t.equal(await isHeld(db), false)
    t.match(await checkServerIdentity(db, 'hold'), {
      before: undefined,
      heldSince: undefined,
    } as Partial<IdentityCheck>)
  })

t.test('AFTER_FAILOVER=continue: no hold after a promotion, but after a restore', async (t) => {
  const { db } = await migrated(t)
  await checkServerIdentity(db, 'continue')
  await pretend(db, { timeline: sql`timeline + 1` })
  const look = await checkServerIdentity(db, 'continue')
  t.ok(look.before)
  t.equal(look.heldSince, undefined)
  t.ok(((await positions(db)).attachments_id_seq ?? 0) > 1_000_000, 'ids are passed over all the same')
  await pretend(db, { system: '1' })
  t.ok((await checkServerIdentity(db, 'continue')).heldSince)
})

t.test('no id is given out on a server that nobody has looked at', async (t) => {
  const { db } = await migrated(t)
  await checkServerIdentity(db, 'hold')
  await pretend(db, { timeline: sql`timeline + 1` })
  const inserts = {
    rooms: sql`insert into rooms (id, public_id) values (1, 'a')`,
    tokens: sql`insert into tokens (token_hash, user_id, scopes) values ('a', 1, '{}')`,
    sessions: sql`insert into sessions (session_hash, user_id, scopes, expires_at) values ('a', 1, '{}', now())`,
    messages: sql`insert into messages (id, public_id, room_id, author_id) values (1, 'a', 1, 1)`,
    transitions: sql`insert into transitions (attachment_id, attempt, "to", reason, actor) values (1, 1, 'Initial', '', '')`,
  }
  for (const [table, insert] of Object.entries(inserts))
    await t.rejects(db.execute(insert), { cause: { code: '57S01' } }, table)
  await checkServerIdentity(db, 'hold')
  await db.execute(inserts.rooms)
  for (const table of ['tokens', 'sessions', 'messages', 'transitions'] as const)
    await t.rejects(db.execute(inserts[table]), { cause: { code: '23503' } }, 'only that there is no such user')
})

t.test('a database that may not ask for its server', async (t) => {
  const { url, db } = await migrated(t)
  const owner = `plain_${randomBytes(4).toString('hex')}`
  const admin = postgres(url, { max: 1, onnotice: () => {} })
  t.teardown(async () => {
    await admin.unsafe(`drop owned by ${owner}; drop role ${owner}`)
    await admin.end()
  })
  await admin.unsafe(`create role ${owner} login password 'plain';
    grant all on all tables in schema public to ${owner}; grant all on all sequences in schema public to ${owner};
    revoke execute on function pg_control_system() from public`)
  const own = new URL(url)
  own.username = owner
  own.password = 'plain'
  const plain = openDatabase(own.href, 2)
  t.teardown(() => plain.close())

  const unknown = { server: { systemIdentifier: '', timeline: 0 }, before: undefined, heldSince: undefined }
  t.strictSame(await checkServerIdentity(plain.db, 'hold'), unknown)
  await plain.db.execute(sql`insert into rooms (id, public_id) values (1, 'a')`)
  t.equal(await isHeld(plain.db), false)

  await admin.unsafe(`grant execute on function pg_control_system() to public`)
  const look = await checkServerIdentity(plain.db, 'hold')
  t.match(look, { server: { timeline: 1 } }, 'with the right to, it does')
  t.equal(look.before, undefined)
  t.equal(look.heldSince, undefined)
  t.equal(await isHeld(db), false)
})
