import { Type } from 'typebox'
import { revokeSession } from '#auth/sessions.ts'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { sessionCookieOptions } from './session-cookie.ts'

const schema = { response: { 200: Type.Object({ httpStatusCode: Type.Literal(200) }) } }

/** `DELETE /session`: ends the session that the cookie names. */
export function deleteSessionRoute(app: App, deps: AppContext): void {
  app.delete('/session', { schema }, async (request, reply) => {
    await revokeSession(deps.db, { id: request.principal.credential.id })
    reply.clearCookie(deps.config.sessionCookie, sessionCookieOptions(deps))
    return { httpStatusCode: 200 as const }
  })
}
