import { Type } from 'typebox'
import { changeableAttachment } from '#auth/permissions.ts'
import { deleteAttachment } from '#deletion/delete-attachment.ts'
import type { AppContext } from '#deps.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'

const schema = {
  params: Type.Object({ attachmentId: PathPart }),
  response: { 200: Type.Object({ httpStatusCode: Type.Literal(200) }) },
}

/** `DELETE /attachments/:attachmentId`: gone for everybody when this answers. */
export function deleteAttachmentRoute(app: App, deps: AppContext): void {
  app.delete('/attachments/:attachmentId', { schema }, async (request) => {
    requireScope(request.principal, 'write')
    const ref = { id: integerId(request.params.attachmentId, 'Attachment') }
    await deleteAttachment(deps, await changeableAttachment(deps.db, ref, request.principal))
    return { httpStatusCode: 200 as const }
  })
}
