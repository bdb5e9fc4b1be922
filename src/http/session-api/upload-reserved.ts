import { Type } from 'typebox'
import { uploadableAttachment } from '../../access/membership.ts'
import { requireScope } from '../../access/principal.ts'
import type { Deps } from '../../deps.ts'
import { uploadReserved } from '../../lifecycle/upload-reserved.ts'
import type { App } from '../app.ts'
import { declaredDigests } from '../digest-fields.ts'
import { openTransfer } from '../forms/transfer.ts'
import { integerId } from '../ids.ts'
import { PathPart } from '../schema-types.ts'
import { uploadingOf } from '../uploading.ts'
import { Metadata, metadataOf } from './metadata.ts'
import { openRawBody, rawBodyLength, rawContentType } from './raw-body.ts'

const schema = {
  params: Type.Object({ attachmentId: PathPart, fileName: PathPart }),
  response: { 200: Metadata },
}

/**
 * `PUT /attachments/:attachmentId/:fileName`: the bytes of a reserved attachment, or of one whose upload failed, at the
 * address where they are downloaded.
 */
export function uploadReservedRoute(app: App, deps: Deps): void {
  app.put('/attachments/:attachmentId/:fileName', { schema, config: { watchesOwnBody: true } }, async (request) => {
    const { principal, params, headers, raw } = request
    requireScope(principal, 'write')
    const ref = { id: integerId(params.attachmentId, 'Attachment') }
    const attachment = await uploadableAttachment(deps.db, ref, principal, params.fileName)
    const file = {
      size: rawBodyLength(headers),
      contentType: rawContentType(headers),
      digests: declaredDigests(headers),
      openBody: () => openRawBody(raw),
    }
    using transfer = openTransfer(raw, deps.config.uploadIdleSeconds)
    return metadataOf(await uploadReserved(deps, uploadingOf(request, transfer.signal), attachment, file))
  })
}
