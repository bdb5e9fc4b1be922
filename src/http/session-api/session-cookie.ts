import type { CookieSerializeOptions } from '@fastify/cookie'
import type { Deps } from '../../deps.ts'

/** `Secure` is left off only where clients reach us over plain http, since a browser would then drop the cookie. */
export function sessionCookieOptions({ publicUrl }: Pick<Deps, 'publicUrl'>): CookieSerializeOptions {
  return { httpOnly: true, secure: publicUrl().startsWith('https:'), sameSite: 'lax', path: '/' }
}
