import type { App } from '#http/app.ts'
import { routeNotFound, toHttpError } from '#http/errors.ts'

/** The exact text of seed 000. */
const unauthenticatedText = 'Wrong Bearer, please renew Web API Access Token'

/** The shape of every error on this surface (seed 000). */
export function sessionApiError(error: unknown) {
  const { code, status, message, headers } = toHttpError(error)
  const errorText = code === 'unauthenticated' ? unauthenticatedText : message
  return { status, headers, body: { errorText, httpStatusCode: status } }
}

export function setErrorHandlers(app: App): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, headers, body } = sessionApiError(error)
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    return reply.code(status).headers(headers).type('application/json; charset=utf-8').send(body)
  })
  app.setNotFoundHandler((_request, reply) => {
    const { status, body } = sessionApiError(routeNotFound())
    return reply.code(status).send(body)
  })
  // @fastify/cors handles OPTIONS for every path of the server, and would respond in the shape of another surface.
  app.options('*', (_request, reply) => reply.callNotFound())
}
