import type { CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import type { AppContext } from '#deps.ts'

/** `Secure` is left off only where clients reach us over plain http, since a browser would then drop the cookie. */
export function sessionCookieOptions({
  publicUrl,
  config,
}: Pick<AppContext, 'publicUrl' | 'config'>): CookieSerializeOptions {
  const secure = publicUrl().startsWith('https:')
  return { httpOnly: true, secure, sameSite: config.sessionSameSite, path: '/' }
}

/**
 * The session that a request carries, unless it carries two cookies of that name: then somebody else may have set one, such as
 * a host beside ours for the domain of both, and which comes first is theirs to choose (RFC 6265 section 5.4).
 */
export function sessionIn(
  { headers, cookies }: FastifyRequest,
  { sessionCookie }: AppContext['config'],
): string | undefined {
  const names = headers.cookie?.split(';').map((pair) => pair.split('=', 1)[0]?.trim()) ?? []
  return names.filter((name) => name === sessionCookie).length === 1 ? cookies[sessionCookie] : undefined
}
