import { type Database, openDatabase } from './client.ts'

/** What lies between Stowage and Postgres: nothing, or a pooler that lends a connection for a session or for one transaction. */
export type PoolerMode = 'none' | 'session' | 'transaction'

/**
 * Finds the pooler by its behaviour, since poolers do not name themselves. In transaction mode a pooler lends the connection of an
 * idle client to another client, or lends the first client another connection. In session mode, and with Postgres itself, each
 * client keeps its connection.
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

/** The process that answers, and the process that was named at connecting: a pooler makes up the latter. */
async function backendOf(db: Pick<Database, 'execute'>): Promise<{ pid: number; told: number }> {
  const rows = await db.execute<{ pid: number }>('select pg_backend_pid() as pid')
  return { pid: Number(rows[0]?.pid), told: rows.state.pid }
}
