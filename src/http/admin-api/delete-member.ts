import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'
import { deleteMember } from '#rooms/rooms.ts'

const schema = { params: Type.Object({ roomId: PathPart, userId: PathPart }) }

/** `DELETE /rooms/:roomId/members/:userId`: takes a user out of a room; their uploads stay. */
export function deleteMemberRoute(app: App, { db }: AppContext): void {
  app.delete('/rooms/:roomId/members/:userId', { schema }, async ({ params }, reply) => {
    await deleteMember(db, integerId(params.roomId, 'Room'), integerId(params.userId, 'Member'))
    return reply.code(204).send()
  })
}
