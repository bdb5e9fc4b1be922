import { Type } from 'typebox'
import { changeableAttachment } from '#auth/permissions.ts'
import { deleteAttachment } from '#deletion/delete-attachment.ts'
import type { AppContext } from '#deps.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { publicId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'

const schema = { params: Type.Object({ id: PathPart }) }

/** `DELETE /attachments/:id`: gone for everybody when this answers. */
export function deleteAttachmentRoute(app: App, deps: AppContext): void {
  app.delete('/attachments/:id', { schema }, async (request, reply) => {
    requireScope(request.principal, 'write', 'admin')
    const ref = { publicId: publicId(request.params.id, 'Attachment') }
    await deleteAttachment(deps, await changeableAttachment(deps.db, ref, request.principal))
    return reply.code(204).send()
  })
}
