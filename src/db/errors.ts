import { DrizzleQueryError } from 'drizzle-orm'

/** What postgres.js and Node say when there is no usable connection. */
const connectionCodes = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
])

/**
 * SQLSTATE: connection exceptions (08), refused logins (28), out of resources (53), operator's intervention and time-outs
 * (57), system errors (58), a standby that takes no writes (25006), a database that is gone or closed (3D000, 55000).
 * PostgreSQL manual, appendix A.
 */
const unavailableStates = /^(08|28|53|57|58)...$|^(25006|3D000|55000)$/

/** Whether a failed query failed because the database cannot be used now, rather than because of the query. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof DrizzleQueryError)) return false
  const code = (error.cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && (connectionCodes.has(code) || unavailableStates.test(code))
}
