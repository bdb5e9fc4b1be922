import { Type } from 'typebox'
import { changeableAttachment } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { requireScope } from '#domain/principal.ts'
import { requireReady } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import { publicId } from '#http/ids.ts'
import { PathPart, SentFileName } from '#http/schema-types.ts'
import { rename } from '#uploads/rename.ts'
import { AttachmentObject, attachmentObject } from './attachment-object.ts'
import { takeMissingBodyAsEmpty } from './missing-body.ts'

const schema = {
  params: Type.Object({ id: PathPart }),
  // Seed 001 lists filename as an optional attribute: without it nothing changes.
  body: Type.Object({ filename: Type.Optional(SentFileName) }),
  response: { 200: AttachmentObject },
}

/** `PUT /attachments/:id`: gives the attachment another name, and so another `file_url`; the old one is dead. */
export function updateAttachmentRoute(app: App, deps: AppContext): void {
  const options = { schema, preValidation: takeMissingBodyAsEmpty }
  app.put('/attachments/:id', options, async ({ params, body, principal }) => {
    requireScope(principal, 'write')
    const ref = { publicId: publicId(params.id, 'Attachment') }
    const current = requireReady(await changeableAttachment(deps.db, ref, principal))
    const reader = { principal, standing: current.standing }
    if (body.filename === undefined) return attachmentObject(deps, current, reader)
    return attachmentObject(deps, requireReady(await rename(deps, current, body.filename)), reader)
  })
}
