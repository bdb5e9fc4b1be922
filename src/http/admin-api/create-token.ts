import { type Static, Type } from 'typebox'
import { createToken } from '#auth/tokens.ts'
import type { AppContext } from '#deps.ts'
import { allScopes } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { putUsers } from '#rooms/users.ts'
import { BackendId } from './ids.ts'

const Scope = Type.Enum([...allScopes])

const schema = {
  body: Type.Object({
    userId: BackendId,
    scopes: Type.Optional(Type.Array(Scope, { minItems: 1, maxItems: allScopes.length, uniqueItems: true })),
    expiresInSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 * 365 * 86_400 })),
  }),
  response: {
    201: Type.Object({
      id: Type.Integer(),
      token: Type.String(),
      userId: Type.Integer(),
      scopes: Type.Array(Scope),
      expires_at: Type.Union([Type.Integer(), Type.Null()]),
    }),
  },
}

/** `POST /tokens`: mints a bearer token, shown this once. Scopes: read and write unless named; no end unless given. */
export function createTokenRoute(app: App, { db }: AppContext): void {
  app.post('/tokens', { schema }, async ({ body, principal }, reply) => {
    const { userId, scopes = ['read', 'write'], expiresInSeconds } = body
    await putUsers(db, [userId])
    const expiresAt = expiresInSeconds === undefined ? null : new Date(principal.now() + expiresInSeconds * 1000)
    const { id, token } = await createToken(db, { userId, scopes, expiresAt })
    const answer: Static<(typeof schema.response)[201]> = {
      id,
      token,
      userId,
      scopes,
      expires_at: unixSeconds(expiresAt),
    }
    return reply.code(201).send(answer)
  })
}

function unixSeconds(date: Date | null): number | null {
  return date && Math.floor(date.getTime() / 1000)
}
