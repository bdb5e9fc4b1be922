import { Type } from 'typebox'
import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { PathPart } from '#http/schema-types.ts'
import { putMessage } from '#rooms/messages.ts'
import { MessageAnswer } from './answers.ts'
import { BackendId, backendId } from './ids.ts'

const schema = {
  params: Type.Object({ messageId: PathPart }),
  body: Type.Object({ roomId: BackendId, authorId: BackendId }),
  response: { 200: MessageAnswer },
}

/** `PUT /messages/:messageId`: makes a message known, so that files can be attached to it. */
export function putMessageRoute(app: App, { db }: AppContext): void {
  app.put('/messages/:messageId', { schema }, async ({ params, body }) => {
    const { id, publicId } = await putMessage(db, backendId(params.messageId, 'messageId'), body)
    return { messageId: id, message_id: publicId }
  })
}
