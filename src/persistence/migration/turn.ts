import { sql } from 'drizzle-orm'
import { firstOf, type Runner } from './journal.ts'

/** The beginning of every statement that runs outside a transaction: other replicas find it in pg_stat_activity. */
export const statementMark = '/* stowage migration */'

/** Time between taking a turn and the moment the statement is visible to the other replicas. */
const handover = sql.raw(`interval '5 seconds'`)

/**
 * Takes the turn for one statement outside a transaction. No lock can be held meanwhile: a lock of a transaction ends before the
 * statement begins, a lock of a session stays behind in a pooler, and a transaction on a second connection would take that from a
 * pool of one. So the turn is taken while a running statement of a migration is seen, and for {@link handover} after a replica took
 * it. The turn spares double work. Correctness does not depend on it: each statement may run twice, and an index is looked at after
 * its build.
 * @param db the transaction that holds the lock of migrations
 * @param holder tells apart the replicas
 * @returns false while it is another replica's
 */
export async function takeTurn(db: Runner, holder: string): Promise<boolean> {
  await db.execute(sql`
    create table if not exists drizzle.migration_turn (
      id boolean primary key default true check (id), holder text not null, ends_at timestamptz not null)`)
  const { taken } = await firstOf(
    db,
    sql`select exists (
        select from drizzle.migration_turn where holder <> ${holder} and ends_at > clock_timestamp()
      ) or exists (
        select from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
          and starts_with(query, ${statementMark})
      ) as taken`,
  )
  if (taken) return false
  await db.execute(sql`
    insert into drizzle.migration_turn (holder, ends_at) values (${holder}, clock_timestamp() + ${handover})
    on conflict (id) do update set holder = excluded.holder, ends_at = excluded.ends_at`)
  return true
}

/** Lets the other replicas go on at once. */
export async function endTurn(db: Runner, holder: string): Promise<void> {
  await db.execute(sql`delete from drizzle.migration_turn where holder = ${holder}`)
}
