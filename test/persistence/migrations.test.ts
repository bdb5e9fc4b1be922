import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { getTableName } from 'drizzle-orm'
import { type PgTable, pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import type { Sql } from 'postgres'
import t, { type Test } from 'tap'
import { countPendingMigrations, migrateDatabase, migrationLock } from '#persistence/migration/migrate.ts'
import * as schema from '#persistence/schema.ts'
import { until } from '../kit/until.ts'
import { connect, urlWithOneConnection } from './migrated-database.ts'

const snapshots = new URL('../../migrations/meta/', import.meta.url)

/** What `npm run db:generate` would write for a schema. */
async function statementsMissing(wanted: Record<string, unknown>): Promise<string[]> {
  const names = (await readdir(snapshots)).filter((name) => name.endsWith('_snapshot.json')).sort()
  const latest = JSON.parse(await readFile(new URL(String(names.at(-1)), snapshots), 'utf8'))
  return generateMigration(latest, generateDrizzleJson(wanted, latest.id))
}

/** Tables, columns, constraints, indexes and sequences as Postgres itself describes them. */
async function describeDatabase(sql: Sql): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select format('%s.%s %s %s %s %s', table_name, column_name, udt_name, is_nullable, column_default,
      datetime_precision) as line
    from information_schema.columns where table_schema = 'public'
    union all select format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = 'public'::regnamespace
    union all select indexdef from pg_indexes where schemaname = 'public'
    union all select format('%s %s %s %s %s', sequencename, start_value, min_value, max_value, increment_by)
    from pg_sequences where schemaname = 'public'
    order by line`
  return rows.map(({ line }) => line)
}

t.test('drizzle-kit finds nothing to generate', async (t) => {
  t.strictSame(await statementsMissing({ ...schema }), [], 'otherwise: npm run db:generate')
  const notes = pgTable('notes', { id: text('id') })
  t.match(await statementsMissing({ ...schema, notes }), [/CREATE TABLE "notes"/], 'a change would be found')
})

t.test('the migrations make the database that the schema describes', async (t) => {
  const migrated = await connect(t)
  await migrateDatabase(migrated.url)
  const described = await connect(t)
  const empty = generateDrizzleJson({})
  for (const statement of await generateMigration(empty, generateDrizzleJson({ ...schema })))
    await described.sql.unsafe(statement)
  const lines = await describeDatabase(migrated.sql)
  t.strictSame(lines, await describeDatabase(described.sql))
  const { internalIds, readyPositions, ...tables } = schema
  for (const table of Object.values<PgTable>(tables)) t.match(lines.join('\n'), `\n${getTableName(table)}.`)
  await migrated.sql`alter table users drop column deleted_at`
  t.notSame(await describeDatabase(migrated.sql), lines, 'a change would be found')
})

t.test('what no row may be', async (t) => {
  const { url, sql } = await connect(t)
  await migrateDatabase(url)
  await sql`insert into users (id) values (1)`
  await sql`insert into rooms (id, public_id) values (1, 'room')`
  await sql`insert into messages (id, public_id, room_id, author_id) values (1, 'message', 1, 1)`
  const row = {
    public_id: 'a',
    message_id: 1,
    room_id: 1,
    uploader_id: 1,
    file_name: 'a.txt',
    content_type: 'text/plain',
    file_checksum_algorithm: 'sha256',
    state: 'ReadyForDownloadFromServerToClient',
    attempt: 1,
    file_size: 1,
    file_checksum: 'ab',
  }
  const refused = async (change: object, constraint: string) => {
    const inserting = sql`insert into attachments ${sql({ ...row, public_id: 'b', ...change })}`
    t.match(await inserting.catch((error) => error), { constraint_name: constraint })
  }
  await sql`insert into attachments ${sql(row)}`
  await refused({ state: 'Deleted' }, 'attachments_state')
  await refused({ file_size: null }, 'attachments_ready_whole')
  await refused({ file_checksum: null }, 'attachments_ready_whole')
  await refused({ lease_expires_at: new Date() }, 'attachments_lease_state')
  await refused({ state: 'UploadFromClientToServerFailed', lease_expires_at: new Date() }, 'attachments_lease_state')
  const reserved = { state: 'Initial', attempt: 0, file_size: null, file_checksum: null }
  await refused({ ...reserved, attempt: 1 }, 'attachments_first_attempt')
  await refused({ attempt: 0, declared_size: 1 }, 'attachments_first_attempt')
  await refused({ ...reserved, declared_size: null }, 'attachments_reserved_size')
  await refused({ declared_size: 2 }, 'attachments_ready_as_declared')
  await refused({ declared_checksum: 'cd' }, 'attachments_ready_as_declared')
  await refused({ public_id: 'a' }, 'attachments_public_id')
  await refused({ message_id: 2 }, 'attachments_message_id_messages_id_fk')
  const uploading = { state: 'UploadFromClientToServerInProgress', lease_expires_at: new Date(), file_size: null }
  await sql`insert into attachments ${sql({ ...row, public_id: 'c', ...uploading, file_checksum: null })}`
  await sql`insert into attachments ${sql({ ...row, public_id: 'd', ...reserved, declared_size: 1 })}`
  await sql`insert into attachments ${sql({ ...row, public_id: 'e', declared_size: 1, declared_checksum: 'ab' })}`
})

t.test('replicas that start together on an empty database migrate it once', async (t) => {
  const { url, sql } = await connect(t)
  const { entries } = JSON.parse(await readFile(new URL('_journal.json', snapshots), 'utf8'))
  t.equal(await countPendingMigrations(url), entries.length)
  await Promise.all([1, 2, 3, 4].map(() => migrateDatabase(url)))
  const [applied] = await sql`select count(*)::integer from drizzle.__drizzle_migrations`
  t.equal(applied?.count, entries.length)
  t.equal(await countPendingMigrations(url), 0)
  await migrateDatabase(url)
  t.equal(await countPendingMigrations(url), 0, 'and again is no change')
})

/** Advisory locks of this database, held or waited for. */
function advisoryLocks(sql: Sql, granted: boolean) {
  return sql<{ pid: number }[]>`
    select pid from pg_locks join pg_database d on d.oid = database
    where locktype = 'advisory' and granted = ${granted} and datname = current_database()`
}

async function somebodyWaits(sql: Sql): Promise<void> {
  await until('somebody waits for the lock', async () => (await advisoryLocks(sql, false)).length > 0)
}

t.test('a replica waits for the one that migrates', async (t) => {
  const { url, sql } = await connect(t)
  const other = await connect(t, url)
  await other.sql`select pg_advisory_lock(${migrationLock})`
  const migrating = migrateDatabase(url)
  await somebodyWaits(sql)
  t.strictSame(await describeDatabase(sql), [], 'nothing is touched before')
  await other.sql`select pg_advisory_unlock(${migrationLock})`
  await migrating
  t.equal(await countPendingMigrations(url), 0)
})

t.test('a replica that dies while it migrates blocks nobody and leaves nothing', async (t) => {
  const { url, sql } = await connect(t)
  const other = await connect(t, url)
  await other.sql`create schema drizzle`
  await other.sql`create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`
  const held = await other.sql.reserve()
  await held`begin`
  await held`lock table drizzle.__drizzle_migrations`
  const first = t.rejects(migrateDatabase(url), 'is told')
  const working = await until('the first is in the midst of it', async () => {
    const rows = await sql`
      select pid from pg_locks where relation = to_regclass('drizzle.__drizzle_migrations') and not granted`
    return rows[0]?.pid
  })
  const locking = await advisoryLocks(sql, true)
  const second = migrateDatabase(url)
  await somebodyWaits(sql)
  for (const pid of [working, ...locking.map((lock) => lock.pid)]) await sql`select pg_terminate_backend(${pid})`
  await first
  t.strictSame(
    (await describeDatabase(sql)).filter((line) => !line.includes('drizzle')),
    [],
  )
  await held`rollback`
  held.release()
  await second
  t.equal(await countPendingMigrations(url), 0)
})

t.test('a table that somebody reads for long is waited for in short tries, between which others get it', async (t) => {
  const { url, sql } = await connect(t)
  await migrateAsOf(t, url, 1)
  const dump = await connect(t, url)
  const reading = await dump.sql.reserve()
  await reading`begin`
  await reading`lock table attachments in access share mode`
  let isOver = false
  const migrating = migrateDatabase(url).finally(() => {
    isOver = true
  })
  const isWaiting = async () => {
    const rows = await sql`select from pg_locks where relation = 'attachments'::regclass and not granted`
    return rows.length > 0
  }
  let longest = 0
  for (let tries = 0; tries < 2; tries += 1) {
    await until('it waits for the table', isWaiting)
    const askedAt = performance.now()
    await sql`select count(*) from attachments`
    longest = Math.max(longest, performance.now() - askedAt)
  }
  t.ok(longest < 5000, `somebody else waited ${longest} ms`)
  t.notOk(isOver)
  await reading`rollback`
  reading.release()
  await migrating
  t.equal(await countPendingMigrations(url), 0)
})

t.test('it is given up at once when it is asked to stop', async (t) => {
  const { url, sql } = await connect(t)
  const other = await connect(t, url)
  await other.sql`select pg_advisory_lock(${migrationLock})`
  const stopping = new AbortController()
  const migrating = migrateDatabase(url, stopping.signal)
  await somebodyWaits(sql)
  const [askedAt, reason] = [performance.now(), new Error('stop')]
  stopping.abort(reason)
  await t.rejects(migrating, reason)
  t.ok(performance.now() - askedAt < 1000)
  t.strictSame(await describeDatabase(sql), [], 'nothing is touched')
})

t.test('one connection is enough', async (t) => {
  const { url, sql } = await connect(t)
  await migrateDatabase(await urlWithOneConnection(t, url, sql))
  t.equal(await countPendingMigrations(url), 0)
})

/** Applies the first `count` migrations, as the program of that time did. */
async function migrateAsOf(t: Test, url: string, count: number): Promise<void> {
  const migrationsFolder = await mkdtemp(join(tmpdir(), 'stowage-migrations-'))
  t.teardown(() => rm(migrationsFolder, { recursive: true }))
  await cp(fileURLToPath(new URL('..', snapshots)), migrationsFolder, { recursive: true })
  const journal = join(migrationsFolder, 'meta', '_journal.json')
  const { entries, ...rest } = JSON.parse(await readFile(journal, 'utf8'))
  await writeFile(journal, JSON.stringify({ ...rest, entries: entries.slice(0, count) }))
  // Drizzle changes how its client writes dates, so it gets one of its own.
  const { sql } = await connect(t, url)
  await migrate(drizzle(sql), { migrationsFolder })
}

t.test('a database of the first migration keeps its attachments', async (t) => {
  const { url, sql } = await connect(t)
  await migrateAsOf(t, url, 1)
  await sql`insert into users (id) values (1)`
  await sql`insert into rooms (id, public_id) values (1, 'room')`
  await sql`insert into messages (id, public_id, room_id, author_id) values (1, 'message', 1, 1)`
  const file = { message_id: 1, room_id: 1, uploader_id: 1, file_name: 'a', content_type: 'a/b', attempt: 1 }
  const rows = [
    { state: 'UploadFromClientToServerInProgress', lease_expires_at: new Date(), file_size: null, file_checksum: null },
    { state: 'UploadFromClientToServerFailed', lease_expires_at: null, file_size: null, file_checksum: null },
    { state: 'ChecksumVerificationOnServerSideMismatch', lease_expires_at: null, file_size: 7, file_checksum: 'ab' },
    { state: 'ReadyForDownloadFromServerToClient', lease_expires_at: null, file_size: 7, file_checksum: 'ab' },
  ]
  for (const [index, row] of rows.entries()) {
    const all = { ...file, ...row, public_id: String(index), file_checksum_algorithm: 'sha256' }
    await sql`insert into attachments ${sql(all)}`
  }
  const before = await sql`select * from attachments order by id`
  t.ok(await countPendingMigrations(url))
  await migrateDatabase(url)
  const after = await sql`select * from attachments order by id`
  t.equal(after.length, before.length)
  for (const [index, row] of after.entries()) {
    const { old, added } = splitBy(before[index] as object, row)
    t.strictSame(old, { ...before[index] })
    t.ok(added.length)
    t.strictSame(
      added.filter(([name, value]) => value !== null && name !== 'link_version'),
      [],
      'what is new is not known of it',
    )
    t.equal(row.link_version, 0, 'its links are those of its first name')
  }
})

/** What of a row was there before, and what has been added since. */
function splitBy(before: object, row: object) {
  const isOld = ([name]: [string, unknown]) => name in before
  const columns = Object.entries(row)
  return { old: Object.fromEntries(columns.filter(isOld)), added: columns.filter((column) => !isOld(column)) }
}
