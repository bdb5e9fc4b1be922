import { type Database, openDatabase } from './client.ts'

/** The pooler between Stowage and Postgres: none, or a pooler that assigns a connection per session or per transaction. */
export type PoolerMode = 'none' | 'session' | 'transaction'

/**
 * Detects a pooler by its behaviour, because poolers do not identify themselves. In transaction mode a pooler assigns the
 * connection of an idle client to another client, or assigns another connection to the first client. In session mode, and
 * without a pooler, each client keeps its connection.
 * @param first a client with one connection
 * @param url the database for a second client
 */
export async function findPooler(first: Database, url: string): Promise<PoolerMode> {
  const { pid, announcedPid } = await backendOf(first)
  if (pid === announcedPid) return 'none'
  const second = openDatabase(url, 1)
  try {
    return await second.db.transaction(async (transaction) => {
      const isReassigned = (await backendOf(transaction)).pid === pid || (await backendOf(first)).pid !== pid
      return isReassigned ? 'transaction' : 'session'
    })
  } finally {
    await second.close()
  }
}

/** The process that responds, and the process announced at login. A pooler invents the announced one. */
async function backendOf(db: Pick<Database, 'execute'>): Promise<{ pid: number; announcedPid: number }> {
  const rows = await db.execute<{ pid: number }>('select pg_backend_pid() as pid')
  return { pid: Number(rows[0]?.pid), announcedPid: rows.state.pid }
}
