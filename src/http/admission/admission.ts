import type { FastifyRequest } from 'fastify'
import { StowageError } from '#domain/errors.ts'
import type { Principal } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { hasUnknownExpectation } from '#http/connections/expectations.ts'
import { routeNotFound } from '#http/errors.ts'
import type { HttpContext } from '#http/http-context.ts'

/*
 * A request is admitted in one order on every route, before a byte of its body is read:
 *
 * 1. `admit`, for all requests: how often the address comes, whether there is a route;
 * 2. `requireAuthentication`, for the routes of a surface: who asks, how often the user comes;
 * 3. `onRequest` of a route whose address names the place of a file: whether the user may put one there;
 * 4. `HttpContext.takeUploadSlot` and `takeDownloadSlot`, when a transfer begins: how many transfers the user has under way.
 *
 * Only then are its bytes read. A form whose fields name the place is refused as soon as they have come.
 */

/** For machines that keep the replica in service: answered however often an address comes. */
const probes = new Set(['/livez', '/readyz', '/metrics'])

/** Counts the preflights of browsers. To be called before CORS is set up, which answers them. */
export function admitPreflights(app: App, { rates }: Pick<HttpContext, 'rates'>): void {
  app.addHook('onRequest', async (request) => {
    if (request.method === 'OPTIONS') await rates.perAddress(request)
  })
}

/** Admits requests to the server, whoever they come from. */
export function admit(app: App, { rates }: Pick<HttpContext, 'rates'>): void {
  app.decorateRequest('principal')
  app.decorateRequest('messageId')
  app.decorateRequest('attachment')
  app.addHook('onRequest', async (request) => {
    const isLetIn = request.method === 'OPTIONS' || probes.has(request.routeOptions.url ?? '')
    if (!isLetIn) await rates.perAddress(request)
    if (request.is404) throw routeNotFound()
    if (hasUnknownExpectation(request.raw))
      throw new StowageError(
        'expectation_failed',
        'Only 100-continue can be expected of this server. Leave Expect out.',
      )
  })
}

/**
 * Admits to the routes of `app` only the users that `authenticate` knows.
 * @param authenticate throws StowageError `unauthenticated` or `forbidden`
 */
export function requireAuthentication(
  app: App,
  deps: Pick<HttpContext, 'rates'>,
  authenticate: (request: FastifyRequest) => Promise<Principal>,
): void {
  app.addHook('onRequest', authenticated(deps, authenticate))
}

/** The same for a single route. */
export function authenticated(
  { rates }: Pick<HttpContext, 'rates'>,
  authenticate: (request: FastifyRequest) => Promise<Principal>,
): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    request.principal = await authenticate(request)
    await rates.perUser(request)
  }
}
