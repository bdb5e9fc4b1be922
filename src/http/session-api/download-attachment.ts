import { Type } from 'typebox'
import { readableAttachment } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { requireScope } from '#domain/principal.ts'
import { downloadable } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import { sendFile } from '#http/downloads/send-file.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'

const schema = {
  params: Type.Object({ attachmentId: PathPart, fileName: PathPart }),
  querystring: Type.Object({ variant: Type.Optional(Type.Literal('thumbnail')) }),
}

/** `GET` and `HEAD /attachments/:attachmentId/:fileName`: the bytes, under the attachment's current name. */
export function downloadAttachmentRoute(app: App, deps: AppContext): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/attachments/:attachmentId/:fileName',
    schema,
    async handler(request, reply) {
      requireScope(request.principal, 'read')
      const ref = { id: integerId(request.params.attachmentId, 'Attachment') }
      const attachment = await readableAttachment(deps.db, ref, request.principal)
      const ready = downloadable(attachment, request.params.fileName)
      if (request.query.variant !== undefined)
        throw new StowageError('not_found', 'Attachment not found: it has no thumbnail')
      return sendFile(deps, request, reply, ready, { embeddable: 'same-site' })
    },
  })
}
