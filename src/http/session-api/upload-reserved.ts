import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { uploadableAttachment } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { watchBody } from '#http/request-body/body-watch.ts'
import { declaredDigests } from '#http/request-body/digest-fields.ts'
import { openRawBody, rawBodyLength, rawContentType } from '#http/request-body/raw-body.ts'
import { PathPart } from '#http/schema-types.ts'
import { uploadingOf } from '#http/uploading.ts'
import { uploadReserved } from '#uploads/upload-reserved.ts'
import { Metadata, metadataOf } from './metadata.ts'

const schema = {
  params: Type.Object({ attachmentId: PathPart, fileName: PathPart }),
  response: { 200: Metadata },
}

/**
 * `PUT /attachments/:attachmentId/:fileName`: the bytes of a reserved attachment, or of one whose upload failed, at the
 * address where they are downloaded.
 */
export function uploadReservedRoute(app: App, deps: AppContext): void {
  const options = { schema, config: { readsBodyAsStream: true }, onRequest: findAttachment(deps) }
  app.put('/attachments/:attachmentId/:fileName', options, async (request) => {
    const { attachment, headers, raw } = request
    const file = {
      size: rawBodyLength(headers),
      contentType: rawContentType(headers),
      digests: declaredDigests(headers),
      openBody: () => openRawBody(raw),
    }
    using transfer = watchBody(raw, deps)
    return metadataOf(await uploadReserved(deps, uploadingOf(request, transfer.signal), attachment, file))
  })
}

/** @throws StowageError `forbidden`, or `not_found` for whoever may not know of the attachment */
function findAttachment({ db }: Pick<AppContext, 'db'>) {
  return async (request: FastifyRequest): Promise<void> => {
    const { attachmentId, fileName } = request.params as { attachmentId: string; fileName: string }
    requireScope(request.principal, 'write')
    const ref = { id: integerId(attachmentId, 'Attachment') }
    request.attachment = await uploadableAttachment(db, ref, request.principal, fileName)
  }
}
