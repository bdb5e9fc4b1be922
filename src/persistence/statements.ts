import { getTableColumns, type InferSelectModel, type SQL, sql } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Clock } from '#domain/principal.ts'
import type { AttachmentState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'

/**
 * A statement that is built once for each database instead of once for each request: building one costs more CPU than
 * running it.
 * @param build prepares it, with `sql.placeholder` where the values go
 */
export function prepared<Statement>(build: (db: Database) => Statement): (db: Database) => Statement {
  const built = new WeakMap<Database, Statement>()
  return (db) => {
    const statement = built.get(db) ?? build(db)
    built.set(db, statement)
    return statement
  }
}

/** States as constants of a statement, not as parameters: so Postgres can use the indexes that are for some states only. */
export function stateLiterals(states: readonly AttachmentState[]): SQL {
  return sql.raw(states.map((state) => `'${state}'`).join(', '))
}

/** The rows of a hand-written statement that returns whole rows of `table`, as drizzle's own queries would give them. */
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

/** Far more tries than requests about one room or message come at once. */
const mostTries = 200

/**
 * Repeats a statement until it has an answer. A statement that waits for another one about the same row sees the rows that the other
 * has changed, and not those that it has added. Then it changes nothing and is repeated.
 * @param ask resolves with `undefined` to be asked again
 */
export async function retryUntilVisible<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`Another statement came between, ${mostTries} times in a row`)
}

/** The database's time in milliseconds since 1970: a column for a statement that is asked anyway. */
export const databaseTime = sql<number>`extract(epoch from now()) * 1000`.mapWith(Number)

/**
 * A clock that goes on from the database's time. The clocks of replicas differ, but run at the same speed: so a link or credential
 * ends at the same moment on all of them.
 */
export function clockFrom(milliseconds: number): Clock {
  const read = performance.now()
  return () => milliseconds + performance.now() - read
}

/** Reads the database's clock with a statement of its own. */
export async function readClock(db: Database): Promise<Clock> {
  const [row] = await db.execute<{ now: string }>(sql`select extract(epoch from now()) * 1000 as now`)
  return clockFrom(Number(row?.now))
}
