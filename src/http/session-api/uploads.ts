import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { messageIdForMember, uploadableAttachment } from '#auth/permissions.ts'
import { StowageError } from '#domain/errors.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { integerId, PathPart } from '#http/parameters.ts'
import { type BodyWatch, uploadRequestOf, watchBody } from '#http/request-body/body-watch.ts'
import { declaredDigests } from '#http/request-body/declared-values.ts'
import { readForm, requireForm } from '#http/request-body/form.ts'
import { rawBody, rawBodyLength, rawContentType } from '#http/request-body/raw-body.ts'
import type { NewFile } from '#uploads/incoming-file.ts'
import { upload } from '#uploads/upload.ts'
import { uploadReserved } from '#uploads/upload-reserved.ts'
import { Declarations } from './declarations.ts'
import { Metadata, metadataOf } from './metadata.ts'

const fileField = 'files'

/**
 * `POST /messages/:messageId/attachments`: uploads one or more files, which become Ready together or not at all. Fields before the
 * files may declare `fileChecksum` and `fileSize`, one each per file in the same order.
 */
export function uploadFormRoute(app: App, context: HttpContext): void {
  const response = Type.Object({ httpStatusCode: Type.Literal(200), attachmentIds: Type.Array(Type.Integer()) })
  const schema = { params: Type.Object({ messageId: PathPart }), response: { 200: response } }
  const options = { schema, config: { readsBodyAsStream: true }, onRequest: [findMessage(context), requireForm] }
  app.post('/messages/:messageId/attachments', options, async (request) => {
    using watch = watchBody(request.raw, context)
    const files = filesOfForm(request, context, watch)
    const attachments = await upload(context, uploadRequestOf(request, watch), files)
    return { httpStatusCode: 200 as const, attachmentIds: attachments.map(({ id }) => id) }
  })
}

/** @throws StowageError `forbidden` without the scope; `not_found` for users who are not in the message's room */
function findMessage({ db }: Pick<HttpContext, 'db'>) {
  return async (request: FastifyRequest): Promise<void> => {
    const { messageId } = request.params as { messageId: string }
    requireScope(request.principal, 'write')
    request.messageId = await messageIdForMember(db, { id: integerId(messageId, 'Message') }, request.principal)
  }
}

/** The files of the form, each with its declarations. */
async function* filesOfForm(
  request: FastifyRequest,
  { config }: Pick<HttpContext, 'config'>,
  watch: BodyWatch,
): AsyncGenerator<NewFile, void, undefined> {
  const { messageId, principal } = request
  const declarations = new Declarations(config.checksumAlgorithm)
  const fields = ['fileChecksum', 'fileSize']
  for await (const part of readForm(request, config, { fileField, fields }, watch)) {
    if ('value' in part) declarations.add(part)
    else yield { ...part, messageId, uploaderId: principal.userId, ...declarations.next() }
  }
  if (declarations.files === 0)
    throw new StowageError('invalid', `The form holds no file. Send at least one, named "${fileField}".`)
  declarations.end()
}

/**
 * `PUT /attachments/:attachmentId/:fileName`: uploads the bytes of a reserved attachment, or of one whose upload failed, to the path
 * from which they are downloaded.
 */
export function uploadReservedRoute(app: App, context: HttpContext): void {
  const params = Type.Object({ attachmentId: PathPart, fileName: PathPart })
  const schema = { params, response: { 200: Metadata } }
  const options = { schema, config: { readsBodyAsStream: true }, onRequest: findAttachment(context) }
  app.put('/attachments/:attachmentId/:fileName', options, async (request) => {
    const { attachment, headers, raw } = request
    const file = {
      attachment,
      declaredSize: rawBodyLength(headers),
      contentType: rawContentType(headers),
      digests: declaredDigests(headers),
      body: rawBody(raw),
    }
    using watch = watchBody(raw, context)
    return metadataOf(await uploadReserved(context, uploadRequestOf(request, watch), file))
  })
}

/**
 * @throws StowageError `forbidden` without the scope or for a user other than the uploader; `not_found` for users outside the room,
 *   and for another file name
 */
function findAttachment({ db }: Pick<HttpContext, 'db'>) {
  return async (request: FastifyRequest): Promise<void> => {
    const { attachmentId, fileName } = request.params as { attachmentId: string; fileName: string }
    requireScope(request.principal, 'write')
    const ref = { id: integerId(attachmentId, 'Attachment') }
    request.attachment = await uploadableAttachment(db, ref, request.principal, fileName)
  }
}
