import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import { limits } from '#domain/limits.ts'
import type { App } from '#http/app.ts'
import { PathPart } from '#http/schema-types.ts'
import { putRoom } from '#rooms/rooms.ts'
import { RoomAnswer, roomAnswer } from './answers.ts'
import { BackendId, backendId } from './ids.ts'

const UserIds = Type.Array(BackendId, { maxItems: limits.roomMembers })

const schema = {
  params: Type.Object({ roomId: PathPart }),
  body: Type.Object({ memberIds: UserIds, moderatorIds: Type.Optional(UserIds) }),
  response: { 200: RoomAnswer },
}

/** `PUT /rooms/:roomId`: makes a room known and sets all its members. */
export function putRoomRoute(app: App, { db }: AppContext): void {
  app.put('/rooms/:roomId', { schema, bodyLimit: limits.roomBody }, async ({ params, body }) => {
    const { memberIds, moderatorIds = [] } = body
    return roomAnswer(await putRoom(db, backendId(params.roomId, 'roomId'), { memberIds, moderatorIds }))
  })
}
