import { Type } from 'typebox'
import { revokeSession } from '#auth/sessions.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'

const schema = { params: Type.Object({ id: PathPart }) }

/** `DELETE /sessions/:id`: revokes a session. */
export function deleteSessionRoute(app: App, { db }: AppContext): void {
  app.delete('/sessions/:id', { schema }, async ({ params }, reply) => {
    const revoked = await revokeSession(db, { id: integerId(params.id, 'Session') })
    if (!revoked) throw new StowageError('not_found', 'Session not found')
    return reply.code(204).send()
  })
}
