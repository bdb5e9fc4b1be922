import { fileURLToPath } from 'node:url'
import { type SQL, sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import type { Database } from '#persistence/connection/client.ts'

/** The folder that `npm run db:generate` writes to. */
export const migrationsFolder = fileURLToPath(new URL('../../../migrations', import.meta.url))

/** A line of a file whose statements run one by one, each outside a transaction. */
const noTransaction = /^-- stowage: no transaction$/m

export interface Migration {
  /** SHA-256 of the file. */
  hash: string
  /** When it was generated, in milliseconds since 1970: migrations are applied in this order. */
  generatedAt: number
  statements: string[]
  isTransactional: boolean
}

/** What statements are run on: a pool, or a transaction. */
export type Runner = Pick<Database, 'execute'>

/** The migrations of a folder of drizzle-kit, in their order. */
export function readMigrations(folder: string = migrationsFolder): Migration[] {
  return readMigrationFiles({ migrationsFolder: folder }).map(({ hash, folderMillis, sql: statements }) => ({
    hash,
    generatedAt: folderMillis,
    statements,
    isTransactional: !statements.some((statement) => noTransaction.test(statement)),
  }))
}

/** Creates the table that drizzle's own migrator creates and reads, where there is none. */
export async function createJournal(db: Runner): Promise<void> {
  await db.execute(sql`create schema if not exists drizzle`)
  await db.execute(sql`
    create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`)
}

/** Those that are newer than the newest one applied, which is drizzle's own rule. */
export async function pendingMigrations(db: Runner, known: Migration[]): Promise<Migration[]> {
  const newest = await firstOf(db, sql`select max(created_at) as at from drizzle.__drizzle_migrations`)
  return known.filter(({ generatedAt }) => newest.at === null || generatedAt > Number(newest.at))
}

export async function recordMigration(db: Runner, { hash, generatedAt }: Migration): Promise<void> {
  await db.execute(sql`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${generatedAt})`)
}

/** The row of a statement that always returns one. */
export async function firstOf(db: Runner, statement: SQL): Promise<Record<string, unknown>> {
  const [row] = await db.execute(statement)
  return row as Record<string, unknown>
}
