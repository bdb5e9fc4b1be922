import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import type { TestServer } from './server.ts'

/** Connections that are open to the server. */
export function connectionsOf({ app }: TestServer): Promise<number> {
  return promisify(app.server.getConnections.bind(app.server))()
}

/** Resources that grow when something is not given back. */
export async function resourcesOf(server: TestServer) {
  const { app } = server
  const listeners = app.server.eventNames().map((name) => [String(name), app.server.listenerCount(name)])
  const connections = await connectionsOf(server)
  return { connections, listeners, exitListeners: process.listenerCount('exit') }
}

/** Queries and transactions under way, but for this one. */
export async function busyInDatabase({ db }: TestServer): Promise<number> {
  const rows = await db.execute(sql`
    select from pg_stat_activity
    where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`)
  return rows.length
}
