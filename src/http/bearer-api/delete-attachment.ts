import { Type } from 'typebox'
import { changeableAttachment } from '../../access/membership.ts'
import { requireScope } from '../../access/principal.ts'
import type { Deps } from '../../deps.ts'
import { remove } from '../../lifecycle/remove.ts'
import type { App } from '../app.ts'
import { publicId } from '../ids.ts'
import { PathPart } from '../schema-types.ts'

const schema = { params: Type.Object({ id: PathPart }) }

/** `DELETE /attachments/:id`: gone for everybody when this answers. */
export function deleteAttachmentRoute(app: App, deps: Deps): void {
  app.delete('/attachments/:id', { schema }, async (request, reply) => {
    requireScope(request.principal, 'write', 'admin')
    const ref = { publicId: publicId(request.params.id, 'Attachment') }
    await remove(deps, await changeableAttachment(deps.db, ref, request.principal))
    return reply.code(204).send()
  })
}
