import type { FastifyRequest } from 'fastify'
import { StowageError } from '#domain/errors.ts'
import type { Principal } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { hasUnknownExpectation } from '#http/connections/expectations.ts'
import { routeNotFound } from '#http/errors.ts'
import type { HttpContext } from '#http/http-context.ts'

/*
 * Every route admits a request in the same order, before a byte of its body is read:
 *
 * 1. `admit`, for all requests: the rate limit of the address, the existence of the route;
 * 2. `requireAuthentication`, for the routes of a surface: the user, the rate limit of the user;
 * 3. `onRequest` of a route whose path names the destination of a file: the permission to upload there;
 * 4. `HttpContext.takeUploadSlot` and `takeDownloadSlot`, when a transfer begins: the concurrent transfers of the user.
 *
 * A form names its destination in its fields. It is refused as soon as they have arrived.
 */

/** The routes for orchestrators and monitoring, which are exempt from the rate limit of addresses. */
const probes = new Set(['/livez', '/readyz', '/metrics'])

/** Counts the preflights of browsers. Must be called before CORS is set up, whose hook responds to them. */
export function admitPreflights(app: App, { rates }: Pick<HttpContext, 'rates'>): void {
  app.addHook('onRequest', async (request) => {
    if (request.method === 'OPTIONS') await rates.perAddress(request)
  })
}

/** Admits requests to the server, before authentication. */
export function admit(app: App, { rates }: Pick<HttpContext, 'rates'>): void {
  app.decorateRequest('principal')
  app.decorateRequest('messageId')
  app.decorateRequest('attachment')
  app.addHook('onRequest', async (request) => {
    const isExempt = request.method === 'OPTIONS' || probes.has(request.routeOptions.url ?? '')
    if (!isExempt) await rates.perAddress(request)
    if (request.is404) throw routeNotFound()
    if (hasUnknownExpectation(request.raw))
      throw new StowageError(
        'expectation_failed',
        'Only 100-continue can be expected of this server. Leave Expect out.',
      )
  })
}

/**
 * Requires authentication on all routes of `app`.
 * @param authenticate throws StowageError `unauthenticated` or `forbidden`
 */
export function requireAuthentication(
  app: App,
  context: Pick<HttpContext, 'rates'>,
  authenticate: (request: FastifyRequest) => Promise<Principal>,
): void {
  app.addHook('onRequest', authenticated(context, authenticate))
}

/** An `onRequest` hook that requires authentication on a single route. */
export function authenticated(
  { rates }: Pick<HttpContext, 'rates'>,
  authenticate: (request: FastifyRequest) => Promise<Principal>,
): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    request.principal = await authenticate(request)
    await rates.perUser(request)
  }
}
