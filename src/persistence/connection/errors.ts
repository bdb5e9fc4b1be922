import { DrizzleQueryError } from 'drizzle-orm'
import postgres from 'postgres'

/** Why the database cannot be used, in codes of our own; others are Node's (`ECONNREFUSED`) or SQLSTATEs. */
export type UnavailableCode =
  | 'CONNECT_TIMEOUT'
  | 'CONNECTION_LOST'
  | 'NO_ANSWER'
  | 'NO_CONNECTION'
  | 'COMMITS_WAIT'
  | 'CLOSED'

/** There is no usable connection, or no answer on it in time. Whether the statement was done is not known. */
export class DatabaseUnavailable extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'DatabaseUnavailable'
    this.code = code
  }
}

/** @param code of ours */
export function unavailable(code: UnavailableCode, message: string, cause?: unknown): DatabaseUnavailable {
  return new DatabaseUnavailable(code, message, { cause })
}

/** The failure of a connection as the error that the database cannot be used. */
export function asUnavailable(error: unknown): DatabaseUnavailable {
  if (error instanceof DatabaseUnavailable) return error
  const { code, message } = error as NodeJS.ErrnoException
  return new DatabaseUnavailable(code ?? ('CONNECTION_LOST' satisfies UnavailableCode), message || String(code), {
    cause: error,
  })
}

/**
 * SQLSTATE: connection exceptions (08), refused logins (28), out of resources (53), operator's intervention and time-outs
 * (57), system errors (58), a standby that takes no writes (25006), a database that is gone or closed (3D000, 55000), and
 * statements that Postgres took back because of others (40001, 40P01).
 * PostgreSQL manual, appendix A.
 */
const unavailableStates = /^(08|28|53|57|58)...$|^(25006|3D000|40001|40P01|55000)$/

/** Whether a failed query failed because the database cannot be used now, rather than because of the query. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = causeOf(error)
  return cause instanceof DatabaseUnavailable || unavailableStates.test(stateOf(cause))
}

/**
 * Whether an error of one connection holds for the others too: the server is silent, ends (57P01, 57P02), or takes no writes any
 * more (25006), as after a failover that left connections open. While commits wait for a standby, connections can be read from.
 */
export function concernsAllConnections(error: unknown): boolean {
  const cause = causeOf(error)
  if (cause instanceof DatabaseUnavailable) return cause.code !== ('COMMITS_WAIT' satisfies UnavailableCode)
  return /^(57P01|57P02|25006)$/.test(stateOf(cause))
}

/** Whether an error is a failed query as drizzle reports it: its message holds the query and its parameters. */
export function isQueryError(error: unknown): boolean {
  return error instanceof DrizzleQueryError
}

function causeOf(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error
}

/** The SQLSTATE of an error that Postgres or a pooler sent, otherwise nothing. */
function stateOf(error: unknown): string {
  return error instanceof postgres.PostgresError ? error.code : ''
}
