import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'

const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/** Any number, the same in every replica; nobody else takes this lock. */
export const migrationLock = 7_305_829_114

/** Without `fetch_types: false`, postgres.js crashes the process when a connection is lost just as it begins. */
const connectionOptions = { connect_timeout: 5, fetch_types: false, onnotice: () => {} }

/**
 * Applies every pending migration in one transaction. An advisory lock makes replicas that start together wait for one
 * another, since drizzle takes none. It is held by a second transaction beside, and so ends with its connection: a
 * replica that dies while migrating blocks nobody.
 */
export async function migrateDatabase(url: string): Promise<void> {
  const client = postgres(url, { ...connectionOptions, max: 2 })
  try {
    await client.begin(async (lock) => {
      await lock`select pg_advisory_xact_lock(${migrationLock})`
      await migrate(drizzle(client), { migrationsFolder })
    })
  } finally {
    await client.end({ timeout: 1 })
  }
}

/** How many migrations this program knows that the database has not had. */
export async function countPendingMigrations(url: string): Promise<number> {
  const client = postgres(url, { ...connectionOptions, max: 1 })
  try {
    const known = readMigrationFiles({ migrationsFolder })
    const [table] = await client`select to_regclass('drizzle.__drizzle_migrations') is not null as exists`
    if (!table?.exists) return known.length
    const applied = await client`select hash from drizzle.__drizzle_migrations`
    const hashes = new Set(applied.map((row) => row.hash))
    return known.filter(({ hash }) => !hashes.has(hash)).length
  } finally {
    await client.end({ timeout: 1 })
  }
}
