import { Type } from 'typebox'
import { attachmentNotFound } from '../../access/membership.ts'
import { isSignatureOf } from '../../access/signed-urls.ts'
import { findAttachmentForLink } from '../../db/attachments.ts'
import type { Deps } from '../../deps.ts'
import { StowageError } from '../../errors.ts'
import { normalFormOf } from '../../lifecycle/file-name.ts'
import { downloadable } from '../../lifecycle/serve.ts'
import type { App } from '../app.ts'
import { sendFile } from '../downloads/send-file.ts'
import { publicId } from '../ids.ts'
import { PathPart, QueryText } from '../schema-types.ts'

const schema = {
  params: Type.Object({ id: PathPart, fileName: PathPart }),
  querystring: Type.Object({ expires: Type.Optional(QueryText), signature: Type.Optional(QueryText) }),
}

/** `GET` and `HEAD /files/:id/:fileName`: the bytes, for whoever holds a `file_url` that has not expired. */
export function getFileRoute(app: App, deps: Deps): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/files/:id/:fileName',
    schema,
    async handler(request, reply) {
      const { id, fileName } = request.params
      requireSignature(deps, { id, fileName, ...request.query })
      const attachment = await findAttachmentForLink(deps.db, publicId(id, 'Attachment'))
      if (!attachment) throw attachmentNotFound()
      return sendFile(deps, request, reply, downloadable(attachment, fileName), { embeddable: 'cross-origin' })
    },
  })
}

/** Checked before anything is looked up, so that a bad link tells nothing of what exists. */
function requireSignature(
  { urlSigningKey }: Deps,
  {
    id,
    fileName,
    expires = '',
    signature = '',
  }: { id: string; fileName: string; expires?: string; signature?: string },
): void {
  const file = { publicId: id, fileName: normalFormOf(fileName) ?? '', expires: Number(expires) }
  if (!/^\d{1,12}$/.test(expires) || !isSignatureOf(urlSigningKey, file, signature))
    throw new StowageError(
      'forbidden',
      'This link was changed or cut short. Ask for the attachment again to get a new one.',
    )
  if (file.expires * 1000 < Date.now())
    throw new StowageError('forbidden', 'This link has expired. Ask for the attachment again to get a new one.')
}
