import { Type } from 'typebox'
import { createSession, sessionSeconds } from '#auth/sessions.ts'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { putUsers } from '#rooms/users.ts'
import { BackendId } from './ids.ts'

const schema = {
  body: Type.Object({
    userId: BackendId,
    expiresInSeconds: Type.Integer({ minimum: 1, maximum: 365 * 86_400, default: sessionSeconds }),
  }),
  response: {
    201: Type.Object({
      id: Type.Integer(),
      session: Type.String(),
      cookie: Type.String({ description: 'The pair for a Cookie header' }),
      userId: Type.Integer(),
      expires_at: Type.Integer(),
    }),
  },
}

/** `POST /sessions`: mints a cookie session for a user, for the chat backend to hand on; shown this once. */
export function createSessionRoute(app: App, { db, config }: AppContext): void {
  app.post('/sessions', { schema }, async ({ body: { userId, expiresInSeconds }, principal }, reply) => {
    await putUsers(db, [userId])
    const expiresAt = new Date(principal.now() + expiresInSeconds * 1000)
    const most = config.sessionsPerUser
    const { id, session } = await createSession(db, { userId, scopes: ['read', 'write'], expiresAt, most })
    const cookie = `${config.sessionCookie}=${session}`
    return reply.code(201).send({ id, session, cookie, userId, expires_at: Math.floor(expiresAt.getTime() / 1000) })
  })
}
