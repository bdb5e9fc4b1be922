import { type Static, Type } from 'typebox'
import { isSignatureOf, type SignedFile } from '#auth/signed-urls.ts'
import { attachmentNotFound, StowageError } from '#domain/errors.ts'
import { normalFormOf } from '#domain/file-name.ts'
import { downloadable } from '#downloads/download.ts'
import { findAttachmentForLink } from '#persistence/queries.ts'
import type { App } from './app.ts'
import type { HttpContext } from './http-context.ts'
import { PathPart, publicId, QueryText } from './parameters.ts'
import { sendFile } from './send-file.ts'

const schema = {
  params: Type.Object({ id: PathPart, fileName: PathPart }),
  querystring: Type.Object({
    expires: Type.Optional(QueryText),
    version: Type.Optional(QueryText),
    signature: Type.Optional(QueryText),
  }),
}

type LinkParameters = Static<typeof schema.params> & Static<typeof schema.querystring>

/** `GET` and `HEAD /files/:id/:fileName`: the bytes, for any holder of a `file_url` that has not expired. */
export function getFileRoute(app: App, context: HttpContext): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/files/:id/:fileName',
    schema,
    async handler(request, reply) {
      const { id, fileName } = request.params
      const link = requireSignature(context, { id, fileName, ...request.query })
      const found = await findAttachmentForLink(context.db, publicId(id, 'Attachment'))
      if (!found) throw attachmentNotFound()
      const { attachment, now } = found
      requireUnexpired(link, now)
      if (attachment.linkVersion !== link.linkVersion) throw attachmentNotFound()
      return sendFile(context, request, reply, downloadable(attachment, fileName), { embeddable: 'cross-origin' })
    },
  })
}

/**
 * Checks the signature before anything is looked up, so that a bad link reveals nothing about existing files.
 * @throws StowageError `forbidden`
 */
function requireSignature(
  { urlSigningKey, config }: HttpContext,
  { id, fileName, expires = '', version = '0', signature = '' }: LinkParameters,
): Required<SignedFile> {
  const linkVersion = Number(version)
  const file = { publicId: id, fileName: normalFormOf(fileName) ?? '', expires: Number(expires), linkVersion }
  const isNumeric = /^\d{1,12}$/.test(expires) && /^\d{1,10}$/.test(version)
  if (!isNumeric || !isSignatureOf([urlSigningKey, ...config.urlSigningKeys], file, signature))
    throw new StowageError(
      'forbidden',
      'This link was changed or cut short. Ask for the attachment again to get a new one.',
    )
  return file
}

/**
 * @param now Unix time in milliseconds by the database's clock, which the replica that signed the link used too
 * @throws StowageError `forbidden`
 */
function requireUnexpired({ expires }: SignedFile, now: number): void {
  if (expires * 1000 < now)
    throw new StowageError('forbidden', 'This link has expired. Ask for the attachment again to get a new one.')
}
