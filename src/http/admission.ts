import type { FastifyRequest } from 'fastify'
import type { Principal } from '../access/principal.ts'
import type { Deps } from '../deps.ts'
import { StowageError } from '../errors.ts'
import type { App } from './app.ts'
import { expectsTheUnknown } from './connections/expectations.ts'

/*
 * Whether a request is let in is decided in one order on every route, and before a byte of its body is read:
 *
 * 1. `admit`, for everybody: how often this address comes, whether there is anything where it goes;
 * 2. `admitOnly`, for the routes of a surface: who it is, how often they come;
 * 3. `onRequest` of a route that takes a file: whether they may, and whether what it names is there for them;
 * 4. `Deps.takeUploadSlot` and `takeDownloadSlot`, when the work begins: how much they have under way;
 * 5. then its bytes.
 */

/** Asked by machines that keep the replica in service, however many others ask. */
const probes = new Set(['/livez', '/readyz', '/metrics'])

/** What holds for every request to this server, whoever it comes from. */
export function admit(app: App, { rates }: Pick<Deps, 'rates'>): void {
  app.decorateRequest('principal')
  app.decorateRequest('messageId')
  app.decorateRequest('attachment')
  app.addHook('onRequest', async (request) => {
    if (!probes.has(request.routeOptions.url ?? '')) await rates.ofAddress(request)
    if (request.is404) throw new StowageError('not_found', 'There is nothing at this address. See the documentation.')
    if (expectsTheUnknown(request.raw))
      throw new StowageError(
        'expectation_failed',
        'Only 100-continue can be expected of this server. Leave Expect out.',
      )
  })
}

/**
 * Everything in `app` is for those whom `authenticate` knows.
 * @param authenticate throws StowageError `unauthenticated` or `forbidden`
 */
export function admitOnly(
  app: App,
  deps: Pick<Deps, 'rates'>,
  authenticate: (request: FastifyRequest) => Promise<Principal>,
): void {
  app.addHook('onRequest', onlyFor(deps, authenticate))
}

/** The same for a single route. */
export function onlyFor(
  { rates }: Pick<Deps, 'rates'>,
  authenticate: (request: FastifyRequest) => Promise<Principal>,
): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    request.principal = await authenticate(request)
    await rates.ofUser(request)
  }
}
