import type { CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import { findSession } from '#auth/credentials.ts'
import { StowageError } from '#domain/errors.ts'
import type { Principal } from '#domain/principal.ts'
import { requireAuthentication } from '#http/admission/admission.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'

/** Requires the session cookie on all routes of `app`. Requests other than GET and HEAD must have an allowed origin. */
export function requireSession(app: App, context: HttpContext): void {
  requireAuthentication(app, context, (request) => sessionPrincipal(request, context))
}

/** The attributes of the cookie. When clients use plain HTTP, `Secure` is omitted, since browsers would drop the cookie. */
export function sessionCookieOptions({
  publicUrl,
  config,
}: Pick<HttpContext, 'publicUrl' | 'config'>): CookieSerializeOptions {
  const secure = publicUrl().startsWith('https:')
  return { httpOnly: true, secure, sameSite: config.sessionSameSite, path: '/' }
}

/** @throws StowageError `unauthenticated`, `forbidden` */
async function sessionPrincipal(request: FastifyRequest, context: HttpContext): Promise<Principal> {
  const session = sessionIn(request, context.config)
  const principal = session === undefined ? undefined : await findSession(context.db, session)
  if (!principal) throw new StowageError('unauthenticated', 'The session is missing, unknown or over. Get a new one.')
  if (!['GET', 'HEAD'].includes(request.method)) refuseOtherSites(request, context)
  return principal
}

/**
 * The session in the cookie of a request. A request with two cookies of that name has no session, since another host of the same
 * domain may have set one of them, and can choose which of the two comes first (RFC 6265 section 5.4).
 */
function sessionIn({ headers, cookies }: FastifyRequest, { sessionCookie }: HttpContext['config']): string | undefined {
  const names = headers.cookie?.split(';').map((pair) => pair.split('=', 1)[0]?.trim()) ?? []
  return names.filter((name) => name === sessionCookie).length === 1 ? cookies[sessionCookie] : undefined
}

/**
 * Refuses requests from other origins, since a browser may attach the cookie to a request of any page. The check uses `Origin`,
 * `CORS_ORIGINS` and `Sec-Fetch-Site` (W3C Fetch Metadata). Clients other than browsers send neither header.
 * @throws StowageError `forbidden`
 */
function refuseOtherSites({ headers }: FastifyRequest, { config, publicUrl }: HttpContext): void {
  const { origin } = headers
  const allowedOrigins = [new URL(publicUrl()).origin, ...config.corsOrigins]
  if (origin !== undefined && allowedOrigins.includes(origin)) return
  const site = headers['sec-fetch-site']
  const isSameOrigin = site === undefined ? origin === undefined : site === 'same-origin' || site === 'none'
  if (!isSameOrigin)
    throw new StowageError(
      'forbidden',
      'This request comes from another site. Add that site to CORS_ORIGINS to allow it.',
    )
}
