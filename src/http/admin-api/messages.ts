import { Type } from 'typebox'
import { deleteMessage } from '#deletion/delete.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { BackendId, backendId, integerId, PathPart } from '#http/parameters.ts'
import { putMessage } from '#rooms/messages.ts'

const params = Type.Object({ messageId: PathPart })

/** `PUT /messages/:messageId`: registers a message, so that files can be attached to it. */
export function putMessageRoute(app: App, { db }: HttpContext): void {
  const body = Type.Object({ roomId: BackendId, authorId: BackendId })
  const response = Type.Object({ messageId: Type.Integer(), message_id: Type.String() })
  app.put(
    '/messages/:messageId',
    { schema: { params, body, response: { 200: response } } },
    async ({ params, body }) => {
      const { id, publicId } = await putMessage(db, backendId(params.messageId, 'messageId'), body)
      return { messageId: id, message_id: publicId }
    },
  )
}

/** `DELETE /messages/:messageId`: deletes a message with its attachments. */
export function deleteMessageRoute(app: App, context: HttpContext): void {
  app.delete('/messages/:messageId', { schema: { params } }, async ({ params }, reply) => {
    await deleteMessage(context, integerId(params.messageId, 'Message'))
    return reply.code(204).send()
  })
}
