import { type Database, openDatabase } from './client.ts'

/** What is between us and Postgres: nothing, or a pooler that lends a connection for a session or for one transaction. */
export type PoolerMode = 'none' | 'session' | 'transaction'

/**
 * Finds out by asking, since a pooler does not say what it is. One in transaction mode gives the connection of a client that
 * is idle to another one, or gives the first a different one meanwhile. Other poolers, as well as Postgres, keep to theirs.
 * @param first a client with one connection
 * @param url where to open another one
 */
export async function findPooler(first: Database, url: string): Promise<PoolerMode> {
  const { pid, told } = await backendOf(first)
  if (pid === told) return 'none'
  const second = openDatabase(url, 1)
  try {
    return await second.db.transaction(async (holding) => {
      const isLent = (await backendOf(holding)).pid === pid || (await backendOf(first)).pid !== pid
      return isLent ? 'transaction' : 'session'
    })
  } finally {
    await second.close()
  }
}

/** The process that answers, and the one that was named when we connected: a pooler makes that up. */
async function backendOf(db: Pick<Database, 'execute'>): Promise<{ pid: number; told: number }> {
  const rows = await db.execute<{ pid: number }>('select pg_backend_pid() as pid')
  return { pid: Number(rows[0]?.pid), told: rows.state.pid }
}
