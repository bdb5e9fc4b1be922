import { DrizzleQueryError } from 'drizzle-orm'
import postgres from 'postgres'

/** Our own codes of an unavailable database. Other codes are Node's (`ECONNREFUSED`) or SQLSTATEs. */
export type UnavailableCode =
  | 'CONNECT_TIMEOUT'
  | 'CONNECTION_LOST'
  | 'NO_ANSWER'
  | 'NO_CONNECTION'
  | 'COMMITS_WAIT'
  | 'CLOSED'

/** No usable connection, or no response in time. The statement may or may not have been executed. */
export class DatabaseUnavailable extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'DatabaseUnavailable'
    this.code = code
  }
}

export function unavailable(code: UnavailableCode, message: string, cause?: unknown): DatabaseUnavailable {
  return new DatabaseUnavailable(code, message, { cause })
}

/** Converts the failure of a connection to `DatabaseUnavailable`. */
export function asUnavailable(error: unknown): DatabaseUnavailable {
  if (error instanceof DatabaseUnavailable) return error
  const { code, message } = error as NodeJS.ErrnoException
  return new DatabaseUnavailable(code ?? ('CONNECTION_LOST' satisfies UnavailableCode), message || String(code), {
    cause: error,
  })
}

/**
 * SQLSTATEs of an unavailable database: connection exceptions (08), refused logins (28), insufficient resources (53),
 * operator intervention and timeouts (57), system errors (58), a read-only standby (25006), a missing or closed database
 * (3D000, 55000), and rollbacks because of concurrent statements (40001, 40P01).
 * PostgreSQL manual, appendix A.
 */
const unavailableStates = /^(08|28|53|57|58)...$|^(25006|3D000|40001|40P01|55000)$/

/** Whether a query failed because the database is unavailable, rather than because of the query. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = causeOf(error)
  return cause instanceof DatabaseUnavailable || unavailableStates.test(stateOf(cause))
}

/**
 * Whether an error of one connection applies to the other connections too: the server is silent, shuts down (57P01, 57P02),
 * or has become read-only (25006), as after a failover that left connections open. While commits wait for a standby, other
 * connections can still read.
 */
export function concernsAllConnections(error: unknown): boolean {
  const cause = causeOf(error)
  if (cause instanceof DatabaseUnavailable) return cause.code !== ('COMMITS_WAIT' satisfies UnavailableCode)
  return /^(57P01|57P02|25006)$/.test(stateOf(cause))
}

/** Whether an error is drizzle's error of a failed query, whose message contains the query and its parameters. */
export function isQueryError(error: unknown): boolean {
  return error instanceof DrizzleQueryError
}

function causeOf(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error
}

/** The SQLSTATE of an error from Postgres or a pooler; empty for other errors. */
function stateOf(error: unknown): string {
  return error instanceof postgres.PostgresError ? error.code : ''
}
