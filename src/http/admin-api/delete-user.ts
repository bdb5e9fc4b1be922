import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'
import { deleteUser } from '#rooms/users.ts'

const schema = { params: Type.Object({ userId: PathPart }) }

/** `DELETE /users/:userId`: the user's credentials, uploads and own conversation go with them. */
export function deleteUserRoute(app: App, { db, wakePurge, wakeDeletions }: AppContext): void {
  app.delete('/users/:userId', { schema }, async ({ params }, reply) => {
    const isFinished = await deleteUser(db, integerId(params.userId, 'User'))
    wakePurge()
    if (!isFinished) wakeDeletions()
    return reply.code(204).send()
  })
}
