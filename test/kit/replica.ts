import type { Test } from 'tap'
import { type DatabaseClient, openDatabase } from '#persistence/connection/client.ts'
import { buildServer } from '#server.ts'
import { type TestServer, urlSigningKey } from './server.ts'
import { openTcpLine, type TcpLine } from './tcp-line.ts'

/** A second server on the database and the store of another, by way of a line to the database. */
export interface Replica extends TestServer {
  database: DatabaseClient
  line: TcpLine
}

export async function startReplica(t: Test, server: TestServer, { poolSize = 10 } = {}): Promise<Replica> {
  const line = await openTcpLine(t, server.databaseUrl)
  const { beside, database } = await startBeside(t, server, { databaseUrl: line.url, poolSize, withWorkers: true })
  // Before the server closes: it would wait for a database that does not answer.
  t.teardown(() => line.refuse())
  return { ...beside, database, line }
}

/**
 * A second server on the same database and store, without workers. All its statements go through one connection.
 * @param databaseUrl another way to the same database
 */
export async function startOnOneConnection(
  t: Test,
  server: TestServer,
  databaseUrl = server.databaseUrl,
): Promise<TestServer> {
  const { beside } = await startBeside(t, server, { databaseUrl, poolSize: 1, withWorkers: false })
  return beside
}

async function startBeside(
  t: Test,
  server: TestServer,
  { databaseUrl, poolSize, withWorkers }: { databaseUrl: string; poolSize: number; withWorkers: boolean },
): Promise<{ beside: TestServer; database: DatabaseClient }> {
  const { config, store } = server
  const database = openDatabase(databaseUrl, poolSize)
  const app = await buildServer({ config, database, store, urlSigningKey, withWorkers })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    app.server.closeAllConnections()
    await app.close()
    await database.close()
  })
  return { beside: { ...server, url, app, db: database.db, databaseUrl }, database }
}
