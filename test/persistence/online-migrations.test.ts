import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import type { Sql } from 'postgres'
import t, { type Test } from 'tap'
import { openDatabase } from '#persistence/connection/client.ts'
import { createJournal } from '#persistence/migration/journal.ts'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { endTurn, takeTurn } from '#persistence/migration/turn.ts'
import { until } from '../kit/until.ts'
import { connect, urlWithOneConnection } from './migrated-database.ts'
import { buildLock, makeMigrations, watchedIndex, watchedRows } from './migration-folder.ts'

/** Whether an index is valid, and its number, which changes when it is built anew. */
async function indexOf(sql: Sql, name: string): Promise<{ valid: boolean; oid: number } | undefined> {
  const [row] = await sql<{ valid: boolean; oid: number }[]>`
    select indisvalid as valid, indexrelid as oid from pg_index where indexrelid = to_regclass(${name})`
  return row && { ...row }
}

/** How often the function of the watched index was called. */
async function evaluations(sql: Sql): Promise<number> {
  const [row] = await sql<{ calls: number }[]>`select last_value + is_called::integer as calls from evaluations`
  return Number(row?.calls)
}

async function appliedCount(sql: Sql): Promise<number> {
  const [row] = await sql`select count(*)::integer as n from drizzle.__drizzle_migrations`
  return row?.n
}

/** The processes that build the watched index. */
function builders(sql: Sql) {
  return sql<{ pid: number }[]>`
    select pid from pg_stat_activity
    where datname = current_database() and state = 'active' and query like '%index concurrently%big_watched%'
      and pid <> pg_backend_pid()`
}

/** A database in which the build of the index is held up until `release` is called. */
async function startHeldBuild(
  t: Test,
  options: { query?: string; signal?: AbortSignal; statementTimeout?: number } = {},
) {
  const { url, sql } = await connect(t)
  const folder = await makeMigrations(t, watchedIndex)
  await migrateDatabase(url, undefined, await makeMigrations(t, watchedIndex.slice(0, 1)))
  const name = new URL(url).pathname.slice(1)
  await sql.unsafe(`alter database ${name} set statement_timeout = ${options.statementTimeout ?? 0}`)
  const holder = await connect(t, url)
  await holder.sql`select pg_advisory_lock(${buildLock})`
  const building = migrateDatabase(url + (options.query ?? ''), options.signal, folder)
  const start = () => migrateDatabase(url, undefined, folder)
  building.catch(() => {})
  const pid = await until('the index is being built', async () => {
    const rows = await sql<{ pid: number }[]>`
      select pid from pg_locks join pg_database d on d.oid = database
      where locktype = 'advisory' and not granted and datname = current_database()`
    return rows[0]?.pid ?? 0
  })
  const release = () => holder.sql`select pg_advisory_unlock(${buildLock})`
  return { url, sql, pid, start, building, release }
}

t.test('migrations inside and outside a transaction take turns, and drizzle knows them all', async (t) => {
  const { url, sql } = await connect(t)
  const files = [
    ...watchedIndex,
    'create table later (id bigint primary key, big_id bigint);',
    'alter table later add constraint later_big foreign key (big_id) references big (id) not valid;',
    `-- stowage: no transaction
alter table later validate constraint later_big;--> statement-breakpoint
-- With a comment.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS later_big_id ON later (big_id);--> statement-breakpoint
drop index concurrently if exists big_watched;`,
    'alter table later add column name text;',
  ]
  const folder = await makeMigrations(t, files)
  await Promise.all([1, 2, 3, 4].map(() => migrateDatabase(url, undefined, folder)))
  t.equal(await evaluations(sql), watchedRows, 'the index was built once')
  t.equal(await appliedCount(sql), files.length)
  t.equal(await indexOf(sql, 'big_watched'), undefined)
  t.match(await indexOf(sql, 'later_big_id'), { valid: true })
  t.strictSame([...(await sql`select convalidated as v from pg_constraint where conname = 'later_big'`)], [{ v: true }])
  t.strictSame([...(await sql`select * from drizzle.migration_turn`)], [], 'the turn was given back')
  const [before] = await sql`select string_agg(hash, ' ' order by id) as hashes from drizzle.__drizzle_migrations`
  await migrate(drizzle((await connect(t, url)).sql), { migrationsFolder: folder })
  const [after] = await sql`select string_agg(hash, ' ' order by id) as hashes from drizzle.__drizzle_migrations`
  t.strictSame(after, before, "drizzle's own migrator finds nothing to do")
})

t.test('rows are read and written while an index is built', async (t) => {
  const { sql, building, release } = await startHeldBuild(t)
  await sql`insert into big (id) values (100)`
  await sql`update big set id = 101 where id = 100`
  t.equal((await sql`select from big where id = 101`).count, 1)
  t.match(await indexOf(sql, 'big_watched'), { valid: false }, 'it is not built yet')
  await release()
  await building
  t.match(await indexOf(sql, 'big_watched'), { valid: true })
})

t.test('an index whose build was interrupted is dropped and built again', async (t) => {
  const { sql, pid, start, building, release } = await startHeldBuild(t)
  await sql`select pg_terminate_backend(${pid})`
  await t.rejects(building)
  const interrupted = await indexOf(sql, 'big_watched')
  t.match(interrupted, { valid: false })
  t.equal(await appliedCount(sql), 1, 'the migration is pending')
  await release()
  await start()
  const built = await indexOf(sql, 'big_watched')
  t.match(built, { valid: true })
  t.not(built?.oid, interrupted?.oid)
  t.equal(await appliedCount(sql), 2)
})

t.test('a build is given up at once when it is asked to stop, and Postgres goes on alone', async (t) => {
  const stopping = new AbortController()
  const { sql, start, building, release } = await startHeldBuild(t, { signal: stopping.signal })
  const [askedAt, reason] = [performance.now(), new Error('stop')]
  stopping.abort(reason)
  await t.rejects(building, reason)
  t.ok(performance.now() - askedAt < 1000)
  t.equal((await builders(sql)).length, 1)
  // So that the statement itself is what the next one sees.
  await sql`delete from drizzle.migration_turn`
  const next = start()
  await hasWaited(sql)
  t.equal((await builders(sql)).length, 1, 'it is not built twice')
  await release()
  await next
  t.match(await indexOf(sql, 'big_watched'), { valid: true })
  t.equal(await evaluations(sql), watchedRows, 'the build of the one that stopped was used')
  t.equal(await appliedCount(sql), 2)
})

/** Resolves when a replica has found that it is not its turn, and pauses. */
async function hasWaited(sql: Sql): Promise<void> {
  await until('it pauses', async () => {
    const rows = await sql`
      select from pg_stat_activity
      where datname = current_database() and application_name = 'stowage' and state = 'idle' and query = 'commit'`
    return rows.length > 0
  })
}

t.test('while one replica builds an index, another waits without a lock', async (t) => {
  const { sql, start, building, release } = await startHeldBuild(t)
  const second = start()
  await hasWaited(sql)
  t.equal((await builders(sql)).length, 1)
  await release()
  await Promise.all([building, second])
  t.equal(await evaluations(sql), watchedRows)
})

t.test('a turn is taken before the statement is seen, and for the other replica ends with it', async (t) => {
  const { url } = await connect(t)
  const { db, close } = openDatabase(url, 1)
  t.teardown(() => close())
  await createJournal(db)
  t.equal(await takeTurn(db, 'first'), true)
  t.equal(await takeTurn(db, 'second'), false)
  t.equal(await takeTurn(db, 'first'), true, 'it keeps it for the next statement')
  await db.execute(`update drizzle.migration_turn set ends_at = now() - interval '1 second'`)
  t.equal(await takeTurn(db, 'second'), true, 'the first one died in between')
  await endTurn(db, 'first')
  t.equal(await takeTurn(db, 'first'), false, 'nobody ends the turn of another')
  await endTurn(db, 'second')
  t.equal(await takeTurn(db, 'first'), true)
})

t.test('a migration that failed goes on after the statements that were done', async (t) => {
  const { url, sql } = await connect(t)
  const folder = await makeMigrations(t, [
    'create table big (id bigint, name text);--> statement-breakpoint insert into big values (1, 1), (1, 2);',
    `-- stowage: no transaction
create index concurrently if not exists big_name on big (name);--> statement-breakpoint
create unique index concurrently if not exists big_id on big (id);`,
  ])
  await t.rejects(migrateDatabase(url, undefined, folder), { cause: { code: '23505' } })
  const first = await indexOf(sql, 'big_name')
  t.match(first, { valid: true })
  t.match(await indexOf(sql, 'big_id'), { valid: false })
  await sql`delete from big where name = '2'`
  await migrateDatabase(url, undefined, folder)
  t.strictSame(await indexOf(sql, 'big_name'), first, 'it is not built again')
  t.match(await indexOf(sql, 'big_id'), { valid: true })
})

t.test('one connection is enough for an index too', async (t) => {
  const { url, sql } = await connect(t)
  const limited = await urlWithOneConnection(t, url, sql)
  await migrateDatabase(limited, undefined, await makeMigrations(t, watchedIndex))
  t.match(await indexOf(sql, 'big_watched'), { valid: true })
})

t.test('an index that another process left invalid just before the build is built anew', async (t) => {
  const { url, sql } = await connect(t)
  await migrateDatabase(url, undefined, await makeMigrations(t, watchedIndex.slice(0, 1)))
  const other = await (await connect(t, url)).sql.reserve()
  await other`begin`
  await other`lock table big in share update exclusive mode`
  const migrating = migrateDatabase(url, undefined, await makeMigrations(t, watchedIndex))
  await until('the build waits for the table', async () => {
    const rows = await sql`select from pg_locks where relation = 'big'::regclass and not granted`
    return rows.length > 0
  })
  await other`create index big_watched on big (watched(id))`
  await other`update pg_index set indisvalid = false where indexrelid = 'big_watched'::regclass`
  await other`commit`
  other.release()
  await migrating
  t.match(await indexOf(sql, 'big_watched'), { valid: true })
  t.equal(await evaluations(sql), 2 * watchedRows)
})

t.test('a build may take longer than other statements, where no pooler is in the way', async (t) => {
  const direct = await startHeldBuild(t, { query: '?statement_timeout=1000' })
  await until('the build has taken longer', async () => {
    const rows = await direct.sql`
      select from pg_stat_activity where pid = ${direct.pid} and query_start < now() - interval '1.2 seconds'`
    return rows.length > 0
  })
  await direct.release()
  await direct.building

  // What deploy.md tells operators of PgBouncer to set.
  const pooled = await startHeldBuild(t, { query: '?prepare=false', statementTimeout: 1_000 })
  const said = { code: 'database_unavailable', message: /statement_timeout.* leads to Postgres itself/ }
  await t.rejects(pooled.building, said)
  await pooled.release()
  await pooled.start()
  t.match(await indexOf(pooled.sql, 'big_watched'), { valid: true }, 'what the first try left behind is built anew')
})
