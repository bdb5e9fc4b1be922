import { Type } from 'typebox'
import { createSession, sessionSeconds } from '#auth/sessions.ts'
import type { AppContext } from '#deps.ts'
import { authenticated } from '#http/admission/admission.ts'
import type { App } from '#http/app.ts'
import { bearerPrincipal } from '#http/bearer-token.ts'
import { sessionCookieOptions } from './session-cookie.ts'

const schema = { response: { 200: Type.Object({ httpStatusCode: Type.Literal(200) }) } }

/**
 * `POST /session`: a bearer token is exchanged for a cookie. The session may do what the token may, `admin` aside, and
 * ends when the token does.
 */
export function createSessionRoute(app: App, deps: AppContext): void {
  const onRequest = authenticated(deps, (request) => bearerPrincipal(deps, request))
  app.post('/session', { schema, onRequest }, async ({ principal: token }, reply) => {
    const latest = new Date(token.now() + sessionSeconds * 1000)
    const { session, expiresAt } = await createSession(deps.db, {
      userId: token.userId,
      scopes: token.scopes.filter((scope) => scope !== 'admin'),
      tokenId: token.credential.id,
      most: deps.config.sessionsPerUser,
      expiresAt: token.expiresAt && token.expiresAt < latest ? token.expiresAt : latest,
    })
    reply.setCookie(deps.config.sessionCookie, session, { ...sessionCookieOptions(deps), expires: expiresAt })
    return { httpStatusCode: 200 as const }
  })
}
