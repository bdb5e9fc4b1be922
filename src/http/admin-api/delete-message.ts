import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'
import { deleteMessage } from '#rooms/messages.ts'

const schema = { params: Type.Object({ messageId: PathPart }) }

/** `DELETE /messages/:messageId`: its attachments go with it. */
export function deleteMessageRoute(app: App, { db, wakePurge, wakeDeletions }: AppContext): void {
  app.delete('/messages/:messageId', { schema }, async ({ params }, reply) => {
    const isFinished = await deleteMessage(db, integerId(params.messageId, 'Message'))
    wakePurge()
    if (!isFinished) wakeDeletions()
    return reply.code(204).send()
  })
}
