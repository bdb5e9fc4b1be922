import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import {
  createJournal,
  type Migration,
  migrationsFolder,
  pendingMigrations,
  type Runner,
  readMigrations,
  recordMigration,
} from './journal.ts'
import { InvalidIndex, runOnline, stateOf } from './online-statement.ts'
import { endTurn, takeTurn } from './turn.ts'

/** Any number, the same in every replica; nobody else takes this lock. */
export const migrationLock = 7_305_829_114

/** How long one try waits for a lock. Whoever asks for the table meanwhile waits behind it. */
const lockTimeout = '3s'

/** Milliseconds between two tries, in which those who waited get their turn. */
const pause = () => 1_000 + Math.random() * 1_000

/**
 * Applies every pending migration on one connection: those in a row that are transactional in one transaction, the statements of the
 * others one by one. An advisory lock of the transaction makes replicas that start together wait for one another. In a transaction no
 * lock is waited for longer than three seconds at a time: a table that somebody reads for an hour stays open to everybody else.
 * @param signal gives it up at once; a transaction is taken back then, and a statement outside one ends by itself in Postgres
 * @param folder of the migrations, as drizzle-kit writes it
 * @throws StowageError when others held their locks for all of `limits.migrationWait`; the signal's reason
 */
export async function migrateDatabase(url: string, signal?: AbortSignal, folder = migrationsFolder): Promise<void> {
  const client = openDatabase(url, 1, limits.migrationStatement)
  const giveUp = () => void client.close(0)
  signal?.addEventListener('abort', giveUp)
  try {
    await applyAll(client.db, url, new Progress(readMigrations(folder)), signal)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
    await client.close()
  }
}

/** What this process has done of the migrations it knows. */
class Progress {
  readonly known: Migration[]
  /** Tells this process from others that migrate. */
  readonly id = randomUUID()
  readonly #done = new Set<string>()

  constructor(known: Migration[]) {
    this.known = known
  }

  /** The first statement of a migration that this process has not run. */
  nextOf({ hash, statements }: Migration): OnlineStatement | undefined {
    const keyed = statements.map((text) => ({ text, key: `${hash} ${text}` }))
    return keyed.find(({ key }) => !this.#done.has(key))
  }

  markDone({ key }: OnlineStatement): void {
    this.#done.add(key)
  }
}

/** A statement to be run outside a transaction. */
interface OnlineStatement {
  text: string
  key: string
}

async function applyAll(db: Database, url: string, progress: Progress, signal: AbortSignal | undefined): Promise<void> {
  let end = performance.now() + limits.migrationWait
  for (;;) {
    const step = await advance(db, url, progress)
    if (step === 'done') return
    if (step === 'advanced') {
      end = performance.now() + limits.migrationWait
    } else {
      if (performance.now() > end) throw stillBlocked()
      await delay(pause(), undefined, { signal })
    }
  }
}

/** @returns `blocked` when others hold a lock or have the turn */
async function advance(db: Database, url: string, progress: Progress): Promise<'done' | 'advanced' | 'blocked'> {
  try {
    const next = await db.transaction((transaction) => applyTransactional(transaction, progress))
    if (next === 'done' || next === 'blocked') return next
    await runInTurn(db, url, next, progress)
    return 'advanced'
  } catch (error) {
    // lock_not_available, deadlock_detected
    if (['55P03', '40P01'].includes(String(stateOf(error))) || error instanceof InvalidIndex) return 'blocked'
    throw error
  }
}

async function runInTurn(db: Database, url: string, statement: OnlineStatement, progress: Progress): Promise<void> {
  try {
    await runOnline(db, url, statement.text)
    progress.markDone(statement)
  } catch (error) {
    // Otherwise the turn ends by itself.
    if (!isDatabaseUnavailable(error)) await endTurn(db, progress.id).catch(() => {})
    throw error
  }
}

/** Applies migrations up to the first statement that has to be run outside the transaction, and takes the turn for it. */
async function applyTransactional(
  transaction: Runner,
  progress: Progress,
): Promise<OnlineStatement | 'done' | 'blocked'> {
  await transaction.execute(sql.raw(`set local lock_timeout = '${lockTimeout}'`))
  await transaction.execute(sql`set local statement_timeout = 0`)
  await transaction.execute(sql`select pg_advisory_xact_lock(${migrationLock})`)
  await createJournal(transaction)
  for (const migration of await pendingMigrations(transaction, progress.known)) {
    const online = migration.isTransactional ? undefined : progress.nextOf(migration)
    if (online) return (await takeTurn(transaction, progress.id)) ? online : 'blocked'
    if (migration.isTransactional)
      for (const statement of migration.statements) await transaction.execute(sql.raw(statement))
    else await endTurn(transaction, progress.id)
    await recordMigration(transaction, migration)
  }
  return 'done'
}

function stillBlocked(): StowageError {
  const minutes = limits.migrationWait / 60_000
  const message = `The database could not be migrated for ${minutes} minutes, because others held locks (pg_locks) or ran a migration (pg_stat_activity). Try again when they have ended.`
  return new StowageError('database_unavailable', message)
}

/** How many migrations this program knows that the database has not had. */
export async function countPendingMigrations(url: string): Promise<number> {
  const { db, close } = openDatabase(url, 1)
  try {
    const known = readMigrations()
    const [table] = await db.execute(sql`select to_regclass('drizzle.__drizzle_migrations') is not null as exists`)
    if (!table?.exists) return known.length
    const applied = await db.execute(sql`select hash from drizzle.__drizzle_migrations`)
    const hashes = new Set(applied.map((row) => row.hash))
    return known.filter(({ hash }) => !hashes.has(hash)).length
  } finally {
    await close()
  }
}
