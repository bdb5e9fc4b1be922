import type { FastifyError } from 'fastify'
import { type ErrorCode, StowageError } from '#domain/errors.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'

/** The status of every code, on every surface. */
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

/** Seconds after which a client may try again what cannot be done now, unless more is known. */
const usualRetryAfter = 5

/** An error as a client may read it; each surface gives it its own shape. */
export interface HttpError {
  code: ErrorCode
  status: number
  message: string
  headers: Record<string, string>
}

/** Maps whatever was thrown, by us, by Fastify or by a library, to what the client is told. Never tells how we work inside. */
export function toHttpError(error: unknown): HttpError {
  const { code, message, retryAfter = usualRetryAfter } = toStowageError(error)
  const status = statusOf[code]
  const isForLater = status === 503 || status === 429
  return { code, status, message, headers: isForLater ? { 'retry-after': String(retryAfter) } : {} }
}

/** For an address without a route. */
export function routeNotFound(): StowageError {
  return new StowageError('not_found', 'There is nothing at this address. See the documentation.')
}

function toStowageError(error: unknown): StowageError {
  if (error instanceof StowageError) return error
  if (isDatabaseUnavailable(error))
    return new StowageError('database_unavailable', 'The database does not answer. Try again in a moment.')
  return fromFastify(error as FastifyError) ?? new StowageError('internal', 'The server failed. Try again later.')
}

/** Fastify's own refusals, in words that say what to do. */
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
