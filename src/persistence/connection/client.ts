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
   * Resolves when Postgres responds, accepts writes and commits them.
   * @param limit milliseconds; default: the limit of a statement
   * @throws DatabaseUnavailable; PostgresError
   */
  ping(limit?: number): Promise<void>
  /**
   * Refuses further statements. Resolves when all connections are closed.
   * @param drainTimeout milliseconds after which running statements are cut off; default: 5 s
   */
  close(drainTimeout?: number): Promise<void>
}

/**
 * Opens a pool of at most `max` connections, which are opened on demand. Every statement has a deadline, within a
 * transaction too. A statement that exceeds the deadline fails with an error for which `isDatabaseUnavailable` is true, and
 * its connection is destroyed.
 * @param url `postgres://user:password@host:port/database`; `?prepare=false` disables prepared statements, for poolers in
 *   transaction mode
 * @param limit milliseconds from the submission of a statement to its result
 */
export function openDatabase(url: string, max = 10, limit: number = limits.statement): DatabaseClient {
  // Parses the URL without connecting.
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
    close: (drainTimeout = 5_000) => pool.close(drainTimeout),
  }
}
