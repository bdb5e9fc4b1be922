import { limits } from './limits.ts'

/**
 * What can go wrong, in the domain's own words. Every surface maps a code to its status and shape exactly once
 * (`http/errors.ts`), so the domain knows nothing of HTTP.
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

export interface StowageErrorOptions {
  cause?: unknown
  /**
   * The text that is kept where others read it, such as the `failureReason` of an attachment; the message unless given. It must
   * be given where the message quotes what a client sent.
   */
  reason?: string
  /** Seconds after which it may be tried again, when that is known. */
  retryAfter?: number
}

/** A failure that is told to the client: `message` says what happened and what to do next, never how we work inside. */
export class StowageError extends Error {
  readonly code: ErrorCode
  /** Seconds after which it may be tried again, when that is known. */
  readonly retryAfter: number | undefined
  /** The text that is kept where others read it: it quotes no client. */
  readonly reason: string

  constructor(code: ErrorCode, message: string, { cause, reason = message, retryAfter }: StowageErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StowageError'
    this.code = code
    this.retryAfter = retryAfter
    this.reason = reason
  }
}

/** Text of a client, for an error to that client alone: in quotes and cut to `limits.quote`. */
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

/** Settings that are missing or wrong; the message has one line for each, beginning with its name. */
export class ConfigError extends Error {
  readonly problems: string[]

  constructor(problems: string[]) {
    super(`Stowage cannot start with these settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}
