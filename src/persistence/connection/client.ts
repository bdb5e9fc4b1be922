import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { limits } from '#domain/limits.ts'
import { drizzleClient, type Types } from './drizzle-client.ts'
import { DatabaseUnavailable } from './errors.ts'
import { Pool } from './pool.ts'
import type { ParsedUrl } from './socket.ts'

export type Database = PostgresJsDatabase

export interface DatabaseClient {
  db: Database
  /**
   * Resolves when Postgres answers, takes writes and commits them.
   * @param limit milliseconds; the limit of a statement unless given
   * @throws DatabaseUnavailable; what Postgres says
   */
  ping(limit?: number): Promise<void>
  /**
   * Refuses every further statement. Resolves when no connection is left.
   * @param patience milliseconds after which statements under way are cut off; 5 s unless given
   */
  close(patience?: number): Promise<void>
}

/**
 * Opens a pool of at most `max` connections; each is made when it is needed. Every statement, also of a transaction, has a deadline:
 * one that passes it fails with an error that `isDatabaseUnavailable`, and its connection is destroyed.
 * @param url `postgres://user:password@host:port/database`; with `?prepare=false` no statement is kept by its connection,
 *   for poolers that lend their connections for one transaction
 * @param limit milliseconds for a statement, from the moment it is asked for to its answer
 */
export function openDatabase(url: string, max = 10, limit: number = limits.statement): DatabaseClient {
  // Reads the URL; connects nowhere.
  const parsed = postgres(url).options as ParsedUrl
  const types: Types = { parsers: {}, serializers: {} }
  const pool = new Pool({ url, parsed, types }, max, limit)
  return {
    db: drizzle({ client: drizzleClient(pool, types, Boolean(parsed.prepare), limit) }),
    async ping(milliseconds = limit) {
      pool.throwIfCommitsWait()
      const isReadOnly = `select current_setting('transaction_read_only') = 'on' as "isReadOnly"`
      await pool.hold(async (connection) => {
        const [row] = await connection.run((sql) => sql.unsafe(isReadOnly), performance.now() + milliseconds)
        if (row?.isReadOnly) throw new DatabaseUnavailable('25006', 'The database takes no writes')
      }, milliseconds)
    },
    close: (patience = 5_000) => pool.close(patience),
  }
}
