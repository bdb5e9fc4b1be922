import { Type } from 'typebox'
import { readableAttachment } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { requireScope } from '#domain/principal.ts'
import { requireReady } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import { publicId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'
import { AttachmentObject, attachmentObject } from './attachment-object.ts'

const schema = { params: Type.Object({ id: PathPart }), response: { 200: AttachmentObject } }

/** `GET /attachments/:id` */
export function getAttachmentRoute(app: App, deps: AppContext): void {
  app.get('/attachments/:id', { schema }, async ({ params, principal }) => {
    requireScope(principal, 'read')
    const ref = { publicId: publicId(params.id, 'Attachment') }
    const attachment = requireReady(await readableAttachment(deps.db, ref, principal))
    return attachmentObject(deps, attachment, { principal, standing: attachment.standing })
  })
}
