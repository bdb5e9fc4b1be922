import type { Test } from 'tap'
import { type DatabaseClient, openDatabase } from '#persistence/connection/client.ts'
import { buildServer } from '#server.ts'
import type { TestServer } from '../../kit/server.ts'
import { openTcpLine, type TcpLine } from '../../kit/tcp-line.ts'

/** A replica and its way to the database. */
export interface Replica {
  url: string
  database: DatabaseClient
  line: TcpLine
  /** Every connection breaks, new ones too, as when the database stops. */
  stop(): void
  /** Connections stay open and new ones are taken, but no byte passes, as when a cable is pulled. */
  freeze(): void
  /** All is as before, on new connections. */
  mend(): void
}

/** A second replica of a server, with the same database and store, whose way to the database can be cut. */
export async function startReplica(
  t: Test,
  server: TestServer,
  { poolSize = 10 }: { poolSize?: number } = {},
): Promise<Replica> {
  const { line, url: databaseUrl } = await openDatabaseLine(t, server.databaseUrl)
  const database = openDatabase(databaseUrl, poolSize)
  const { config, store } = server
  const app = await buildServer({ config, database, store, urlSigningKey: 'k'.repeat(32) })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    app.server.closeAllConnections()
    line.refuse()
    await app.close()
    await database.close()
  })
  const { refuse: stop, freeze, mend } = line
  return { url, database, line, stop, freeze, mend }
}

/** A way to a database, as it is when nothing is wrong. */
export async function openDatabaseLine(t: Test, databaseUrl: string): Promise<{ line: TcpLine; url: string }> {
  const target = new URL(databaseUrl)
  const line = await openTcpLine(t, Number(target.port || 5432), target.hostname)
  target.host = `127.0.0.1:${line.port}`
  return { line, url: target.href }
}
