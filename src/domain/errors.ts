import { limits } from './limits.ts'

/** The kinds of failure. The domain is independent of HTTP: `http/errors.ts` maps each code to its status. */
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

export interface StowageErrorOptions {
  cause?: unknown
  /**
   * The text stored where other users read it, such as an attachment's `failureReason`. Default: the message. Required
   * when the message quotes a client.
   */
  reason?: string
  /** Seconds after which the client may try again, when known. */
  retryAfter?: number
}

/** A failure that the client is informed of. `message` states the failure and the next step, without internals. */
export class StowageError extends Error {
  readonly code: ErrorCode
  /** Seconds after which the client may try again, when known. */
  readonly retryAfter: number | undefined
  /** The text stored where other users read it. It quotes no client. */
  readonly reason: string

  constructor(code: ErrorCode, message: string, { cause, reason = message, retryAfter }: StowageErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StowageError'
    this.code = code
    this.retryAfter = retryAfter
    this.reason = reason
  }
}

/** A client's text, for an error to that client alone: in quotes and cut to `limits.quote` characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > limits.quote ? `${text.slice(0, limits.quote)}…` : text)
}

export function attachmentNotFound(): StowageError {
  return new StowageError('not_found', 'Attachment not found')
}

export function messageNotFound(): StowageError {
  return new StowageError('not_found', 'Message not found')
}

export function roomNotFound(): StowageError {
  return new StowageError('not_found', 'Room not found')
}

/** @param maxFileSize bytes */
export function tooLarge(maxFileSize: number): StowageError {
  return new StowageError('too_large', `The file is larger than ${maxFileSize} bytes. Send a smaller one.`)
}

/** Missing or wrong settings. The message has one line for each problem. A line begins with the setting's name. */
export class ConfigError extends Error {
  readonly problems: string[]

  constructor(problems: string[]) {
    super(`Stowage cannot start with these settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}
