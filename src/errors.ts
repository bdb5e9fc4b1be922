/**
 * What can go wrong, in the domain's own words. Every surface maps a code to its status and shape exactly once
 * (`http/problems.ts`), so the domain knows nothing of HTTP.
 */
export type ErrorCode =
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'invalid'
  | 'length_required'
  | 'timeout'
  | 'too_large'
  | 'unsupported_media_type'
  | 'checksum_mismatch'
  | 'conflict'
  | 'precondition_failed'
  | 'range_not_satisfiable'
  | 'expectation_failed'
  | 'rate_limited'
  | 'busy'
  | 'storage_unavailable'
  | 'database_unavailable'
  | 'internal'

/** A failure that is told to the client: `message` says what happened and what to do next, never how we work inside. */
export class StowageError extends Error {
  readonly code: ErrorCode
  /** Seconds after which it may be tried again, when that is known. */
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; retryAfter?: number }) {
    super(message, options)
    this.name = 'StowageError'
    this.code = code
    this.retryAfter = options?.retryAfter
  }
}
