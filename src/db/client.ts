import { getTableColumns, type InferSelectModel } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'

export type Database = PostgresJsDatabase

export interface DatabaseClient {
  db: Database
  /** Resolves when Postgres answers; rejects otherwise. */
  ping(): Promise<void>
  /** Ends every connection, waiting at most 5 s for queries under way. */
  close(): Promise<void>
}

/**
 * Opens a pool of at most `max` connections; the first one is made when first needed.
 * @param url `postgres://user:password@host:port/database`
 */
export function openDatabase(url: string, max = 10): DatabaseClient {
  const client = postgres(url, {
    max,
    connect_timeout: 5,
    idle_timeout: 60,
    // Its own waits grow to 20 s, for the whole pool: a database that is back must be used at once.
    backoff: () => 0.2,
    onnotice: () => {},
    // Asking for types first, postgres.js crashes the process when a connection is lost just as it begins.
    fetch_types: false,
    connection: {
      application_name: 'stowage',
      // A statement never waits longer for a lock, or runs longer, than a client would.
      statement_timeout: 15_000,
      idle_in_transaction_session_timeout: 30_000,
    },
  })
  return {
    db: drizzle(preparing(client)),
    async ping() {
      await client`select 1`
    },
    async close() {
      await client.end({ timeout: 5 })
    },
  }
}

/**
 * Drizzle runs most statements unprepared: Postgres then parses and plans each one every time, and two trips are needed to
 * learn its types. Prepared, a statement costs us a third; `?prepare=false` in the URL turns it off for poolers that
 * cannot keep statements. After a migration Postgres wants them planned anew, which postgres.js does by itself.
 */
function preparing(client: postgres.Sql): postgres.Sql {
  const { unsafe } = client
  const { prepare } = client.options
  return Object.assign(client, {
    unsafe: (query: string, parameters: [], options: postgres.UnsafeQueryOptions) =>
      unsafe(query, parameters, { ...options, prepare }),
  })
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
