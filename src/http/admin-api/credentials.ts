import { type Static, Type } from 'typebox'
import { createSession, createToken, revokeSession, revokeToken } from '#auth/credentials.ts'
import { StowageError } from '#domain/errors.ts'
import { allScopes, sessionSeconds } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { BackendId, integerId, PathPart } from '#http/parameters.ts'
import { putUsers } from '#rooms/users.ts'

const yearSeconds = 365 * 86_400
const params = Type.Object({ id: PathPart })
const Scope = Type.Enum([...allScopes])

const TokenResponse = Type.Object({
  id: Type.Integer(),
  token: Type.String(),
  userId: Type.Integer(),
  scopes: Type.Array(Scope),
  expires_at: Type.Union([Type.Integer(), Type.Null()]),
})

const SessionResponse = Type.Object({
  id: Type.Integer(),
  session: Type.String(),
  cookie: Type.String({ description: 'The pair for a Cookie header' }),
  userId: Type.Integer(),
  expires_at: Type.Integer(),
})

/**
 * `POST /tokens`: creates a bearer token, which no later response shows. By default, its scopes are read and write and it never
 * expires.
 */
export function createTokenRoute(app: App, { db }: HttpContext): void {
  const body = Type.Object({
    userId: BackendId,
    scopes: Type.Optional(Type.Array(Scope, { minItems: 1, maxItems: allScopes.length, uniqueItems: true })),
    expiresInSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 * yearSeconds })),
  })
  app.post('/tokens', { schema: { body, response: { 201: TokenResponse } } }, async ({ body, principal }, reply) => {
    const { userId, scopes = ['read', 'write'], expiresInSeconds } = body
    await putUsers(db, [userId])
    const expiresAt = expiresInSeconds === undefined ? null : new Date(principal.now() + expiresInSeconds * 1000)
    const { id, token } = await createToken(db, { userId, scopes, expiresAt })
    const response: Static<typeof TokenResponse> = {
      ...{ id, token, userId, scopes },
      expires_at: expiresAt && unixSeconds(expiresAt),
    }
    return reply.code(201).send(response)
  })
}

/** `DELETE /tokens/:id`: revokes a token and the sessions created from it. */
export function deleteTokenRoute(app: App, { db }: HttpContext): void {
  app.delete('/tokens/:id', { schema: { params } }, async ({ params }, reply) => {
    const isRevoked = await revokeToken(db, { id: integerId(params.id, 'Token') })
    if (!isRevoked) throw new StowageError('not_found', 'Token not found')
    return reply.code(204).send()
  })
}

/** `POST /sessions`: creates a cookie session that the chat backend passes on to the user. No later response shows it. */
export function createSessionRoute(app: App, { db, config }: HttpContext): void {
  const body = Type.Object({
    userId: BackendId,
    expiresInSeconds: Type.Integer({ minimum: 1, maximum: yearSeconds, default: sessionSeconds }),
  })
  app.post(
    '/sessions',
    { schema: { body, response: { 201: SessionResponse } } },
    async ({ body, principal }, reply) => {
      const { userId, expiresInSeconds } = body
      await putUsers(db, [userId])
      const expiresAt = new Date(principal.now() + expiresInSeconds * 1000)
      const most = config.sessionsPerUser
      const { id, session } = await createSession(db, { userId, scopes: ['read', 'write'], expiresAt, most })
      const cookie = `${config.sessionCookie}=${session}`
      return reply.code(201).send({ id, session, cookie, userId, expires_at: unixSeconds(expiresAt) })
    },
  )
}

/** `DELETE /sessions/:id`: revokes a session. */
export function deleteSessionRoute(app: App, { db }: HttpContext): void {
  app.delete('/sessions/:id', { schema: { params } }, async ({ params }, reply) => {
    const isRevoked = await revokeSession(db, { id: integerId(params.id, 'Session') })
    if (!isRevoked) throw new StowageError('not_found', 'Session not found')
    return reply.code(204).send()
  })
}

function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
