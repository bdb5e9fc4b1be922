import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { type Database, openDatabase } from '#persistence/connection/client.ts'

const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/** Any number, the same in every replica; nobody else takes this lock. */
export const migrationLock = 7_305_829_114

/** How long one try waits for a lock. Whoever asks for the table meanwhile waits behind it. */
const lockTimeout = '3s'

/** Milliseconds between two tries, in which those who waited get their turn. */
const pause = () => 1_000 + Math.random() * 1_000

/**
 * Applies every pending migration in one transaction on one connection. An advisory lock of that transaction makes replicas
 * that start together wait for one another, since drizzle takes none. No lock is waited for longer than three seconds at a
 * time: a table that somebody reads for an hour stays open to everybody else.
 * @param signal gives it up at once; nothing is changed then
 * @throws StowageError when others held their locks for all of `limits.migrationWait`; the signal's reason
 */
export async function migrateDatabase(url: string, signal?: AbortSignal): Promise<void> {
  const client = openDatabase(url, 1, limits.migrationStatement)
  const giveUp = () => void client.close(0)
  signal?.addEventListener('abort', giveUp)
  try {
    await tryUntilUnlocked(client.db, signal)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
    await client.close()
  }
}

async function tryUntilUnlocked(db: Database, signal: AbortSignal | undefined): Promise<void> {
  const end = performance.now() + limits.migrationWait
  while (!(await migrateUnlessLocked(db))) {
    if (performance.now() > end) {
      const minutes = limits.migrationWait / 60_000
      const message = `The database could not be migrated for ${minutes} minutes, because others held locks (pg_locks). Try again when they have ended.`
      throw new StowageError('database_unavailable', message)
    }
    await delay(pause(), undefined, { signal })
  }
}

/** @returns false when somebody else held a lock */
async function migrateUnlessLocked(db: Database): Promise<boolean> {
  try {
    await db.transaction(async (transaction) => {
      await transaction.execute(sql.raw(`set local lock_timeout = '${lockTimeout}'`))
      await transaction.execute(sql`set local statement_timeout = 0`)
      await transaction.execute(sql`select pg_advisory_xact_lock(${migrationLock})`)
      await migrate(transaction as unknown as Database, { migrationsFolder })
    })
    return true
  } catch (error) {
    if (isLockNotAvailable(error)) return false
    throw error
  }
}

function isLockNotAvailable(error: unknown): boolean {
  const { cause } = error as Error
  return cause instanceof postgres.PostgresError && cause.code === '55P03'
}

/** How many migrations this program knows that the database has not had. */
export async function countPendingMigrations(url: string): Promise<number> {
  const { db, close } = openDatabase(url, 1)
  try {
    const known = readMigrationFiles({ migrationsFolder })
    const [table] = await db.execute(sql`select to_regclass('drizzle.__drizzle_migrations') is not null as exists`)
    if (!table?.exists) return known.length
    const applied = await db.execute(sql`select hash from drizzle.__drizzle_migrations`)
    const hashes = new Set(applied.map((row) => row.hash))
    return known.filter(({ hash }) => !hashes.has(hash)).length
  } finally {
    await close()
  }
}
