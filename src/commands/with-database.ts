import { type Config, readConfig } from '#config/config.ts'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import { migrateDatabase } from '#persistence/migrate.ts'
import { checkServerIdentity } from '#persistence/server-identity.ts'
import { holdAdvice } from '#recovery/release-hold.ts'
import { reachDatabase } from './open-resources.ts'

/**
 * Runs a command against the migrated database; an embedded one that nobody runs is run for as long as it takes.
 * @param signal ends the wait for others that hold locks, with its reason
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

/** `stowage migrate`: brings the database up to date, as every command that uses it does first. */
export async function migrate(env: NodeJS.ProcessEnv): Promise<void> {
  await withDatabase(env, async () => console.log('The database is up to date.'))
}
