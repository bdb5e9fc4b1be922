import { Type } from 'typebox'
import type { Deps } from '#deps.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'
import { deleteMessage } from '#rooms/messages.ts'

const schema = { params: Type.Object({ messageId: PathPart }) }

/** `DELETE /messages/:messageId`: its attachments go with it. */
export function deleteMessageRoute(app: App, { db, purgeSoon, finishDeletionsSoon }: Deps): void {
  app.delete('/messages/:messageId', { schema }, async ({ params }, reply) => {
    const isFinished = await deleteMessage(db, integerId(params.messageId, 'Message'))
    purgeSoon()
    if (!isFinished) finishDeletionsSoon()
    return reply.code(204).send()
  })
}
