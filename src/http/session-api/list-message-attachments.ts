import { Type } from 'typebox'
import { memberOfMessage } from '../../access/membership.ts'
import { requireScope } from '../../access/principal.ts'
import { listOfMessage } from '../../db/attachments.ts'
import type { Deps } from '../../deps.ts'
import type { App } from '../app.ts'
import { integerId } from '../ids.ts'
import { PathPart } from '../schema-types.ts'
import { Metadata, metadataOf } from './metadata.ts'

const schema = {
  params: Type.Object({ messageId: PathPart }),
  response: { 200: Type.Object({ httpStatusCode: Type.Literal(200), attachments: Type.Array(Metadata) }) },
}

/** `GET /messages/:messageId/attachments`: every attachment of the message, in any state, oldest first. */
export function listMessageAttachmentsRoute(app: App, deps: Deps): void {
  app.get('/messages/:messageId/attachments', { schema }, async (request) => {
    requireScope(request.principal, 'read')
    const ref = { id: integerId(request.params.messageId, 'Message') }
    const messageId = await memberOfMessage(deps.db, ref, request.principal)
    const attachments = await listOfMessage(deps.db, messageId)
    return { httpStatusCode: 200 as const, attachments: attachments.map(metadataOf) }
  })
}
