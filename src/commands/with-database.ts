import { type Config, readConfig } from '#config/config.ts'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { checkServerIdentity } from '#persistence/server-identity.ts'
import { holdAdvice } from '#recovery/release-hold.ts'
import { reachDatabase } from './open-resources.ts'

/**
 * Runs a command on the migrated database. An embedded Postgres that is not running runs for the duration of the command.
 * @param signal aborts the migration; the promise then rejects with the signal's reason
 */
export async function withDatabase(
  env: NodeJS.ProcessEnv,
  command: (db: Database, config: Config) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const config = readConfig(env)
  const server = await reachDatabase(config)
  try {
    await migrateDatabase(server.url, signal)
    const client = openDatabase(server.url, 1)
    try {
      const { before, heldSince } = await checkServerIdentity(client.db, config.afterFailover)
      if (before && heldSince) console.error(`The database is a promoted or restored copy. ${holdAdvice}`)
      await command(client.db, config)
    } finally {
      await client.close()
    }
  } finally {
    await server.stop()
  }
}

/** `stowage migrate`: applies pending migrations, as every command that uses the database does first. */
export async function migrate(env: NodeJS.ProcessEnv): Promise<void> {
  await withDatabase(env, async () => console.log('The database is up to date.'))
}
