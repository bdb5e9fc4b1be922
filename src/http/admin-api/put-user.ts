import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { PathPart } from '#http/schema-types.ts'
import { personalRoom, putUsers } from '#rooms/users.ts'
import { RoomAnswer, roomAnswer } from './answers.ts'
import { backendId } from './ids.ts'

const schema = {
  params: Type.Object({ userId: PathPart }),
  response: { 200: Type.Object({ userId: Type.Integer(), ...RoomAnswer.properties }) },
}

/** `PUT /users/:userId`: makes a user known; answers with the ids of their own conversation. */
export function putUserRoute(app: App, { db }: AppContext): void {
  app.put('/users/:userId', { schema }, async ({ params }) => {
    const userId = backendId(params.userId, 'userId')
    await putUsers(db, [userId])
    return { userId, ...roomAnswer(await personalRoom(db, userId)) }
  })
}
