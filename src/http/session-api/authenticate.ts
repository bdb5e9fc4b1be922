import type { FastifyRequest } from 'fastify'
import { findSession } from '#auth/sessions.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import type { Principal } from '#domain/principal.ts'
import { requireAuthentication } from '#http/admission/admission.ts'
import type { App } from '#http/app.ts'
import { sessionIn } from './session-cookie.ts'

/** Everything in `app` needs the session cookie, and what changes something must not come from another site. */
export function requireSession(app: App, deps: AppContext): void {
  requireAuthentication(app, deps, (request) => sessionPrincipal(request, deps))
}

/** @throws StowageError `unauthenticated`, `forbidden` */
async function sessionPrincipal(request: FastifyRequest, deps: AppContext): Promise<Principal> {
  const session = sessionIn(request, deps.config)
  const principal = session === undefined ? undefined : await findSession(deps.db, session)
  if (!principal) throw new StowageError('unauthenticated', 'The session is missing, unknown or over. Get a new one.')
  if (!['GET', 'HEAD'].includes(request.method)) refuseOtherSites(request, deps)
  return principal
}

/**
 * A browser sends the cookie along with whatever any site makes it send, so the site is checked: `Sec-Fetch-Site` (W3C
 * Fetch Metadata), and where a browser sends none, `Origin`. Programs other than browsers send neither.
 * @throws StowageError `forbidden`
 */
function refuseOtherSites({ headers }: FastifyRequest, { config, publicUrl }: AppContext): void {
  const { origin } = headers
  const ours = [new URL(publicUrl()).origin, ...config.corsOrigins]
  if (origin !== undefined && ours.includes(origin)) return
  const site = headers['sec-fetch-site']
  const fromUs = site === undefined ? origin === undefined : site === 'same-origin' || site === 'none'
  if (!fromUs)
    throw new StowageError(
      'forbidden',
      'This request comes from another site. Add that site to CORS_ORIGINS to allow it.',
    )
}
