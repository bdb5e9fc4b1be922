import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { firstOf, type Runner } from './journal.ts'
import { statementMark } from './turn.ts'

const indexBuilds = ['create index concurrently if not exists', 'create unique index concurrently if not exists']

/**
 * Runs one statement of a migration outside a transaction, so that it may use `concurrently`. An index that an interrupted build has
 * left invalid is dropped and built again; a valid one is kept.
 * @param url of the database; with `prepare=false` connections are lent by transaction, and no setting can be made for the statement
 * @throws StowageError when the server's own `statement_timeout` ended it; DrizzleQueryError
 */
export async function runOnline(db: Runner, url: string, statement: string): Promise<void> {
  const text = withoutComments(statement)
  const index = indexBuiltBy(text)
  if (postgres(url).options.prepare) await setTimeouts(db)
  try {
    if (index && (await isValid(db, index)) === false)
      await db.execute(sql.raw(`${statementMark} drop index concurrently if exists ${index}`))
    await db.execute(sql.raw(`${statementMark} ${text}`))
  } catch (error) {
    throw stateOf(error) === '57014' ? endedByServer(error) : error
  }
  if (index && !(await isValid(db, index))) throw new InvalidIndex(index)
}

/** The index was not built to its end: another replica builds it, or dropped it. */
export class InvalidIndex extends Error {
  constructor(index: string) {
    super(`The index ${index} is not valid`)
  }
}

/** The SQLSTATE of what Postgres said, otherwise nothing. */
export function stateOf(error: unknown): string | undefined {
  const { cause } = error as Error
  return cause instanceof postgres.PostgresError ? cause.code : undefined
}

/** The name of the index as the statement writes it, in quotes or not. */
function indexBuiltBy(text: string): string | undefined {
  const words = text.split(/\s+/)
  const end = words.findIndex((word) => word.toLowerCase() === 'exists') + 1
  return indexBuilds.includes(words.slice(0, end).join(' ').toLowerCase()) ? words[end] : undefined
}

/** Removes comments in lines of their own, so that the mark is followed by the statement. */
function withoutComments(statement: string): string {
  return statement.replace(/^--.*$/gm, '').trim()
}

/**
 * A build waits for every transaction that is older than itself. That holds up vacuum and other changes of the table, and neither
 * readers nor writers, so it may take long.
 */
async function setTimeouts(db: Runner): Promise<void> {
  await db.execute(sql`
    select set_config('statement_timeout', ${String(limits.migrationStatement)}, false),
      set_config('lock_timeout', ${String(limits.migrationWait)}, false)`)
}

/** @returns undefined when there is no such index */
async function isValid(db: Runner, index: string): Promise<boolean | undefined> {
  const { valid } = await firstOf(
    db,
    sql`select (select indisvalid from pg_index where indexrelid = to_regclass(${index})) as valid`,
  )
  return (valid as boolean | null) ?? undefined
}

function endedByServer(cause: unknown): StowageError {
  const message =
    'Postgres ended a statement of a migration by its statement_timeout. Run "stowage migrate" with a DATABASE_URL that leads to Postgres itself, without a pooler: there the statement gets the time it needs.'
  return new StowageError('database_unavailable', message, { cause })
}
