import type { FastifyError } from 'fastify'
import { type ErrorCode, StowageError } from '#domain/errors.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'

/** The status of each error code, on every surface. */
const statusOf: Readonly<Record<ErrorCode, number>> = {
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timeout: 408,
  conflict: 409,
  length_required: 411,
  precondition_failed: 412,
  too_large: 413,
  invalid: 400,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  expectation_failed: 417,
  checksum_mismatch: 422,
  rate_limited: 429,
  internal: 500,
  busy: 503,
  storage_unavailable: 503,
  database_unavailable: 503,
}

/** Seconds in `Retry-After`, unless the error specifies another delay. */
const defaultRetryAfter = 5

/** An error with the information that a client may see. Each surface gives it its own shape. */
export interface HttpError {
  code: ErrorCode
  status: number
  message: string
  headers: Record<string, string>
}

/** Maps any thrown value (the server's own, Fastify's or a library's) to an HTTP error without internal details. */
export function toHttpError(error: unknown): HttpError {
  const { code, message, retryAfter = defaultRetryAfter } = toStowageError(error)
  const status = statusOf[code]
  const isRetryable = status === 503 || status === 429
  return { code, status, message, headers: isRetryable ? { 'retry-after': String(retryAfter) } : {} }
}

/** The error for a path without a route. */
export function routeNotFound(): StowageError {
  return new StowageError('not_found', 'There is nothing at this address. See the documentation.')
}

function toStowageError(error: unknown): StowageError {
  if (error instanceof StowageError) return error
  if (isDatabaseUnavailable(error))
    return new StowageError('database_unavailable', 'The database does not answer. Try again in a moment.')
  return fromFastify(error as FastifyError) ?? new StowageError('internal', 'The server failed. Try again later.')
}

/** Translates Fastify's own errors into messages that say what to do. */
function fromFastify(error: FastifyError): StowageError | undefined {
  switch (error.code) {
    case 'FST_ERR_VALIDATION':
      return new StowageError('invalid', `The request is not as documented: ${error.message}.`)
    case 'FST_ERR_BAD_URL':
      return new StowageError('invalid', 'The address is not validly percent-encoded. Encode it and try again.')
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new StowageError('not_found', 'There is nothing at this address: a part of it is too long.')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new StowageError('unsupported_media_type', 'This Content-Type is not taken here. See the documentation.')
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new StowageError('too_large', 'The body is too large for this request. Send a smaller one.')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new StowageError('invalid', 'The body is not as long as its Content-Length. Send it again.')
  }
  if (error.statusCode === 400)
    return new StowageError('invalid', 'The body cannot be read. Check that it is valid JSON.')
  return undefined
}
