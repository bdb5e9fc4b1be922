import { startEmbeddedPostgres } from '#dev/embedded-postgres/embedded-postgres.ts'

/** A Postgres server for the tests. */
export interface PostgresServer {
  /** Tells the tests the URL of a database from which they can create their own. */
  environment: Record<string, string>
  stop(): Promise<void>
}

/** The server that TEST_DATABASE_URL names, or an embedded one with its state in `directory`. */
export async function startPostgres(directory: string): Promise<PostgresServer> {
  if (process.env.TEST_DATABASE_URL) return { environment: {}, stop: async () => {} }
  const { url, stop } = await startEmbeddedPostgres({ directory })
  const maintenance = new URL(url)
  maintenance.pathname = '/postgres'
  return { environment: { TEST_DATABASE_URL: maintenance.href }, stop }
}
