import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'
import { deleteRoom } from '#rooms/rooms.ts'

const schema = { params: Type.Object({ roomId: PathPart }) }

/** `DELETE /rooms/:roomId`: its attachments go with it. */
export function deleteRoomRoute(app: App, { db, wakePurge, wakeDeletions }: AppContext): void {
  app.delete('/rooms/:roomId', { schema }, async ({ params }, reply) => {
    const isFinished = await deleteRoom(db, integerId(params.roomId, 'Room'))
    wakePurge()
    if (!isFinished) wakeDeletions()
    return reply.code(204).send()
  })
}
