import { Type } from 'typebox'
import { createSession, revokeSession } from '#auth/credentials.ts'
import { sessionSeconds } from '#domain/principal.ts'
import { authenticated } from '#http/admission/admission.ts'
import type { App } from '#http/app.ts'
import { bearerPrincipal } from '#http/bearer-api/authenticate.ts'
import type { HttpContext } from '#http/http-context.ts'
import { sessionCookieOptions } from './authenticate.ts'

const schema = { response: { 200: Type.Object({ httpStatusCode: Type.Literal(200) }) } }

/**
 * `POST /session`: exchanges a bearer token for a session cookie. The session has the scopes of the token except `admin`, and
 * expires no later than the token.
 */
export function createSessionRoute(app: App, context: HttpContext): void {
  const { db, config } = context
  const onRequest = authenticated(context, (request) => bearerPrincipal(context, request))
  app.post('/session', { schema, onRequest }, async ({ principal: token }, reply) => {
    const latest = new Date(token.now() + sessionSeconds * 1000)
    const { session, expiresAt } = await createSession(db, {
      userId: token.userId,
      scopes: token.scopes.filter((scope) => scope !== 'admin'),
      tokenId: token.credential.id,
      most: config.sessionsPerUser,
      expiresAt: token.expiresAt && token.expiresAt < latest ? token.expiresAt : latest,
    })
    reply.setCookie(config.sessionCookie, session, { ...sessionCookieOptions(context), expires: expiresAt })
    return { httpStatusCode: 200 as const }
  })
}

/** `DELETE /session`: revokes the session of the cookie. */
export function deleteSessionRoute(app: App, context: HttpContext): void {
  app.delete('/session', { schema }, async (request, reply) => {
    await revokeSession(context.db, { id: request.principal.credential.id })
    reply.clearCookie(context.config.sessionCookie, sessionCookieOptions(context))
    return { httpStatusCode: 200 as const }
  })
}
