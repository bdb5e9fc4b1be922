import { Type } from 'typebox'
import { deleteUser } from '#deletion/delete.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { backendId, integerId, PathPart } from '#http/parameters.ts'
import { personalRoom, putUsers } from '#rooms/users.ts'
import { RoomAnswer, roomAnswer } from './rooms.ts'

const params = Type.Object({ userId: PathPart })

/** `PUT /users/:userId`: registers a user. The response has the ids of the personal room. */
export function putUserRoute(app: App, { db }: HttpContext): void {
  const response = Type.Object({ userId: Type.Integer(), ...RoomAnswer.properties })
  app.put('/users/:userId', { schema: { params, response: { 200: response } } }, async ({ params }) => {
    const userId = backendId(params.userId, 'userId')
    await putUsers(db, [userId])
    return { userId, ...roomAnswer(await personalRoom(db, userId)) }
  })
}

/** `DELETE /users/:userId`: deletes a user with the credentials, uploads and personal room. */
export function deleteUserRoute(app: App, context: HttpContext): void {
  app.delete('/users/:userId', { schema: { params } }, async ({ params }, reply) => {
    await deleteUser(context, integerId(params.userId, 'User'))
    return reply.code(204).send()
  })
}
