import { type Static, Type } from 'typebox'
import type { ErrorCode } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { routeNotFound, toHttpError } from '#http/errors.ts'
import type { HttpContext } from '#http/http-context.ts'

/** Every error `type` of this surface with its meaning. The page behind `documentation_url` is rendered from this table. */
export const errorTypes = {
  authentication_error: {
    statuses: [401],
    meaning: 'The bearer token is missing, unknown, expired or revoked. Get a new one.',
  },
  permission_error: {
    statuses: [403],
    meaning: 'The token lacks a scope, you are not the one who may do this, or a file_url has expired or was changed.',
  },
  not_found_error: {
    statuses: [404],
    meaning: 'There is no such thing, or not for you: the two cannot be told apart. Check the id.',
  },
  invalid_request_error: {
    statuses: [400, 405, 408, 411, 412, 413, 415, 416, 417, 422],
    meaning: 'The request is not as documented. The message says what to change before you send it again.',
  },
  conflict_error: { statuses: [409], meaning: 'Somebody else was first. Read the state again and decide anew.' },
  rate_limit_error: { statuses: [429], meaning: 'Too many requests. Wait as long as Retry-After says.' },
  api_error: { statuses: [500], meaning: 'The server failed. Try again; if it lasts, tell the operator.' },
  storage_error: {
    statuses: [503],
    meaning:
      'The object store or the database does not answer, or the server is full. Wait as long as Retry-After says.',
  },
} as const

export type ErrorType = keyof typeof errorTypes

const typeOf: Partial<Record<ErrorCode, ErrorType>> = {
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found_error',
  conflict: 'conflict_error',
  rate_limited: 'rate_limit_error',
  internal: 'api_error',
  busy: 'storage_error',
  storage_unavailable: 'storage_error',
  database_unavailable: 'storage_error',
}

export const BearerApiError = Type.Object({
  type: Type.String(),
  message: Type.String(),
  documentation_url: Type.String(),
})

/** The shape of every error on this surface. */
export function bearerApiError(error: unknown, { publicUrl }: Pick<HttpContext, 'publicUrl'>) {
  const { code, status, message, headers } = toHttpError(error)
  const type = typeOf[code] ?? 'invalid_request_error'
  const body: Static<typeof BearerApiError> = { type, message, documentation_url: `${publicUrl()}/docs/errors#${type}` }
  return { status, body, headers: { ...headers, ...(status === 401 && { 'www-authenticate': 'Bearer' }) } }
}

export function setErrorHandlers(app: App, context: Pick<HttpContext, 'publicUrl'>): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, headers, body } = bearerApiError(error, context)
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    return reply.code(status).headers(headers).type('application/json; charset=utf-8').send(body)
  })
  app.setNotFoundHandler(() => {
    throw routeNotFound()
  })
}
