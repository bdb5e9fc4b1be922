import { Type } from 'typebox'
import { deleteRoom } from '#deletion/delete.ts'
import { limits } from '#domain/limits.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { BackendId, backendId, integerId, PathPart, takeMissingBodyAsEmpty } from '#http/parameters.ts'
import { deleteMember, putMember, putRoom } from '#rooms/rooms.ts'

/** Every response about a room has its integer id and its string id. */
export const RoomAnswer = Type.Object({ roomId: Type.Integer(), conversation_id: Type.String() })

export function roomAnswer({ id, publicId }: { id: number; publicId: string }) {
  return { roomId: id, conversation_id: publicId }
}

const params = Type.Object({ roomId: PathPart })
const memberParams = Type.Object({ roomId: PathPart, userId: PathPart })

/** `PUT /rooms/:roomId`: registers a room and replaces its members. */
export function putRoomRoute(app: App, { db }: HttpContext): void {
  const UserIds = Type.Array(BackendId, { maxItems: limits.roomMembers })
  const body = Type.Object({ memberIds: UserIds, moderatorIds: Type.Optional(UserIds) })
  const options = { schema: { params, body, response: { 200: RoomAnswer } }, bodyLimit: limits.roomBody }
  app.put('/rooms/:roomId', options, async ({ params, body }) => {
    const { memberIds, moderatorIds = [] } = body
    return roomAnswer(await putRoom(db, backendId(params.roomId, 'roomId'), { memberIds, moderatorIds }))
  })
}

/** `DELETE /rooms/:roomId`: deletes a room with its attachments. */
export function deleteRoomRoute(app: App, context: HttpContext): void {
  app.delete('/rooms/:roomId', { schema: { params } }, async ({ params }, reply) => {
    await deleteRoom(context, integerId(params.roomId, 'Room'))
    return reply.code(204).send()
  })
}

/** `PUT /rooms/:roomId/members/:userId`: adds a user to a room, as a moderator if the body says so. */
export function putMemberRoute(app: App, { db }: HttpContext): void {
  const body = Type.Object({ moderator: Type.Boolean({ default: false }) })
  const response = Type.Object({ ...RoomAnswer.properties, userId: Type.Integer(), moderator: Type.Boolean() })
  const options = {
    schema: { params: memberParams, body, response: { 200: response } },
    preValidation: takeMissingBodyAsEmpty,
  }
  app.put('/rooms/:roomId/members/:userId', options, async ({ params, body: { moderator } }) => {
    const roomId = backendId(params.roomId, 'roomId')
    const userId = backendId(params.userId, 'userId')
    return { ...roomAnswer(await putMember(db, roomId, userId, moderator)), userId, moderator }
  })
}

/** `DELETE /rooms/:roomId/members/:userId`: removes a user from a room. The uploads of the user remain. */
export function deleteMemberRoute(app: App, { db }: HttpContext): void {
  app.delete('/rooms/:roomId/members/:userId', { schema: { params: memberParams } }, async ({ params }, reply) => {
    await deleteMember(db, integerId(params.roomId, 'Room'), integerId(params.userId, 'Member'))
    return reply.code(204).send()
  })
}
