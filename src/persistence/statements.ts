import { getTableColumns, type InferSelectModel, type SQL, sql } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Clock } from '#domain/principal.ts'
import type { AttachmentState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'

/**
 * A statement that is built once per database instead of once per request, because building costs more CPU than running.
 * @param build prepares the statement, with `sql.placeholder` for the values
 */
export function prepared<Statement>(build: (db: Database) => Statement): (db: Database) => Statement {
  const built = new WeakMap<Database, Statement>()
  return (db) => {
    const statement = built.get(db) ?? build(db)
    built.set(db, statement)
    return statement
  }
}

/** States as literals instead of parameters, so that Postgres can use partial indexes on states. */
export function stateLiterals(states: readonly AttachmentState[]): SQL {
  return sql.raw(states.map((state) => `'${state}'`).join(', '))
}

/** Converts the rows of a hand-written statement, which returns whole rows of `table`, as drizzle's own queries do. */
export function rowsOf<Table extends PgTable>(
  table: Table,
  rows: Iterable<Record<string, unknown>>,
): InferSelectModel<Table>[] {
  const columns = Object.entries(getTableColumns(table))
  const read = (row: Record<string, unknown>) =>
    columns.map(([property, column]) => {
      const value = row[column.name]
      return [property, value === null ? null : column.mapFromDriverValue(value)]
    })
  return Array.from(rows, (row) => Object.fromEntries(read(row)) as InferSelectModel<Table>)
}

/** Far more tries than there are concurrent requests for one room or message. */
const maxTries = 200

/**
 * Repeats a statement until it has a result. A statement that waits for another statement on the same row sees the rows
 * that the other one updated, but not the rows that it inserted. In that case it changes no row and is repeated.
 * @param run resolves with `undefined` to be repeated
 * @throws Error after {@link maxTries} tries
 */
export async function retryUntilVisible<T>(run: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < maxTries; tries += 1) {
    const result = await run()
    if (result !== undefined) return result
  }
  throw new Error(`Another statement came between, ${maxTries} times in a row`)
}

/** The database's time in milliseconds since 1970, as a column of another query. */
export const databaseTime = sql<number>`extract(epoch from now()) * 1000`.mapWith(Number)

/**
 * A clock that continues from the database's time. The clocks of replicas differ but run at the same speed, so that a link
 * or credential ends at the same time on all replicas.
 * @param milliseconds the database's time since 1970
 */
export function clockFrom(milliseconds: number): Clock {
  const read = performance.now()
  return () => milliseconds + performance.now() - read
}

/** Reads the database's clock in a separate statement. */
export async function readClock(db: Database): Promise<Clock> {
  const [row] = await db.execute<{ now: string }>(sql`select extract(epoch from now()) * 1000 as now`)
  return clockFrom(Number(row?.now))
}
