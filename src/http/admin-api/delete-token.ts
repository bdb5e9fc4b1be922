import { Type } from 'typebox'
import { revokeToken } from '#auth/tokens.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'

const schema = { params: Type.Object({ id: PathPart }) }

/** `DELETE /tokens/:id`: revokes a token, and the sessions it was exchanged for. */
export function deleteTokenRoute(app: App, { db }: AppContext): void {
  app.delete('/tokens/:id', { schema }, async ({ params }, reply) => {
    const revoked = await revokeToken(db, { id: integerId(params.id, 'Token') })
    if (!revoked) throw new StowageError('not_found', 'Token not found')
    return reply.code(204).send()
  })
}
