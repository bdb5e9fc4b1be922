import { Type } from 'typebox'
import { deleteMember } from '../../../chat/rooms.ts'
import type { Deps } from '../../../deps.ts'
import type { App } from '../../app.ts'
import { integerId } from '../../ids.ts'
import { PathPart } from '../../schema-types.ts'

const schema = { params: Type.Object({ roomId: PathPart, userId: PathPart }) }

/** `DELETE /rooms/:roomId/members/:userId`: takes a user out of a room; their uploads stay. */
export function deleteMemberRoute(app: App, { db }: Deps): void {
  app.delete('/rooms/:roomId/members/:userId', { schema }, async ({ params }, reply) => {
    await deleteMember(db, integerId(params.roomId, 'Room'), integerId(params.userId, 'Member'))
    return reply.code(204).send()
  })
}
