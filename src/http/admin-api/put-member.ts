import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { takeMissingBodyAsEmpty } from '#http/bearer-api/missing-body.ts'
import { PathPart } from '#http/schema-types.ts'
import { putMember } from '#rooms/rooms.ts'
import { RoomAnswer, roomAnswer } from './answers.ts'
import { backendId } from './ids.ts'

const schema = {
  params: Type.Object({ roomId: PathPart, userId: PathPart }),
  body: Type.Object({ moderator: Type.Boolean({ default: false }) }),
  response: { 200: Type.Object({ ...RoomAnswer.properties, userId: Type.Integer(), moderator: Type.Boolean() }) },
}

/** `PUT /rooms/:roomId/members/:userId`: puts a user into a room, as a moderator if the body says so. */
export function putMemberRoute(app: App, { db }: AppContext): void {
  const options = { schema, preValidation: takeMissingBodyAsEmpty }
  app.put('/rooms/:roomId/members/:userId', options, async ({ params, body: { moderator } }) => {
    const roomId = backendId(params.roomId, 'roomId')
    const userId = backendId(params.userId, 'userId')
    return { ...roomAnswer(await putMember(db, roomId, userId, moderator)), userId, moderator }
  })
}
