import { Type } from 'typebox'
import { changeableAttachment, messageIdForMember, readableAttachment } from '#auth/permissions.ts'
import { deleteAttachment } from '#deletion/delete.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { actorOf, requireScope } from '#domain/principal.ts'
import { clientSideStates } from '#domain/states.ts'
import { downloadable } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { ClaimedType, integerId, PathPart, QueryText, SentFileName, text, wholeNumber } from '#http/parameters.ts'
import { declaredChecksum } from '#http/request-body/declared-values.ts'
import { sendFile } from '#http/send-file.ts'
import { listOfMessage, listTransitions } from '#persistence/queries.ts'
import { change } from '#uploads/change.ts'
import { reserve } from '#uploads/reserve.ts'
import { Metadata, metadataOf, transitionOf } from './metadata.ts'

const params = Type.Object({ attachmentId: PathPart })

/** `POST /attachments`: reserves an attachment for a file whose bytes a later `PUT` uploads. */
export function reserveAttachmentRoute(app: App, context: HttpContext): void {
  const body = Type.Object({
    messageId: Type.Integer(),
    fileName: SentFileName,
    fileSize: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Bytes' }),
    contentType: Type.Optional(ClaimedType),
    fileChecksum: Type.Optional(text({ description: 'Hex, in the configured algorithm' })),
  })
  const schema = { body, response: { 201: Metadata } }
  app.post('/attachments', { schema }, async ({ principal, body }, reply) => {
    requireScope(principal, 'write')
    const ref = { id: integerId(String(body.messageId), 'Message') }
    const messageId = await messageIdForMember(context.db, ref, principal)
    const { fileName, fileSize, contentType, fileChecksum } = body
    const reserved = await reserve(context, {
      ...{ messageId, uploaderId: principal.userId, fileName, contentType, actor: actorOf(principal) },
      declaredSize: fileSize,
      declaredChecksum: declaredChecksum('fileChecksum', fileChecksum, context.config.checksumAlgorithm),
    })
    const location = `${context.publicUrl()}/api/v1/attachments/${reserved.id}`
    return reply.code(201).header('location', location).send(metadataOf(reserved))
  })
}

/** `PATCH /attachments/:attachmentId`: sets the client-side state, the declared checksum, or the file name. */
export function changeAttachmentRoute(app: App, context: HttpContext): void {
  const body = Type.Object({
    attachmentState: Type.Optional(Type.Enum([...clientSideStates])),
    fileChecksum: Type.Optional(text({ description: 'Hex, in the algorithm of the attachment' })),
    fileName: Type.Optional(SentFileName),
  })
  const schema = { params, body, response: { 200: Metadata } }
  app.patch('/attachments/:attachmentId', { schema }, async ({ principal, params, body }) => {
    requireScope(principal, 'write')
    const { attachmentState: state, fileChecksum, fileName } = body
    const ref = { id: integerId(params.attachmentId, 'Attachment') }
    const attachment = await changeableAttachment(context.db, ref, principal)
    if (state === undefined && fileChecksum === undefined && fileName === undefined)
      throw new StowageError('invalid', 'Nothing is to be changed. Send attachmentState, fileChecksum or fileName.')
    const checksum = declaredChecksum('fileChecksum', fileChecksum, attachment.fileChecksumAlgorithm)
    return metadataOf(await change(context, attachment, { state, checksum, fileName }, actorOf(principal)))
  })
}

/**
 * `GET /messages/:messageId/attachments`: the attachments of the message in any state, oldest first, at most 1,000 or `?limit`,
 * after the id `?after`.
 */
export function listMessageAttachmentsRoute(app: App, { db }: HttpContext): void {
  const response = Type.Object({
    httpStatusCode: Type.Literal(200),
    attachments: Type.Array(Metadata),
    hasMore: Type.Optional(Type.Literal(true)),
  })
  const schema = {
    params: Type.Object({ messageId: PathPart }),
    querystring: Type.Object({ limit: Type.Optional(QueryText), after: Type.Optional(QueryText) }),
    response: { 200: response },
  }
  app.get('/messages/:messageId/attachments', { schema }, async (request) => {
    requireScope(request.principal, 'read')
    const ref = { id: integerId(request.params.messageId, 'Message') }
    const messageId = await messageIdForMember(db, ref, request.principal)
    const { limit = String(limits.messagePage), after = '0' } = request.query
    const { page, hasMore } = await listOfMessage(db, messageId, {
      limit: wholeNumber('limit', limit, 1, limits.messagePage),
      after: wholeNumber('after', after, 0, Number.MAX_SAFE_INTEGER),
    })
    const attachments = page.map(metadataOf)
    return { httpStatusCode: 200 as const, attachments, ...(hasMore && { hasMore: true as const }) }
  })
}

/** `GET /attachments/:attachmentId`: the metadata, in any state. `?include=transitions` adds the latest 1,000 transitions. */
export function getAttachmentRoute(app: App, { db }: HttpContext): void {
  const querystring = Type.Object({ include: Type.Optional(Type.Literal('transitions')) })
  const schema = { params, querystring, response: { 200: Metadata } }
  app.get('/attachments/:attachmentId', { schema }, async (request) => {
    requireScope(request.principal, 'read')
    const ref = { id: integerId(request.params.attachmentId, 'Attachment') }
    const attachment = await readableAttachment(db, ref, request.principal)
    const metadata = metadataOf(attachment)
    if (request.query.include === undefined) return metadata
    const maxTransitions = limits.transitionsPage
    const transitions = await listTransitions(db, attachment.id, maxTransitions + 1)
    const hasMore = transitions.length > maxTransitions
    return {
      ...metadata,
      transitions: transitions.slice(-maxTransitions).map(transitionOf),
      ...(hasMore && { hasMoreTransitions: true as const }),
    }
  })
}

/** `GET` and `HEAD /attachments/:attachmentId/:fileName`: the bytes of the attachment, under its current name only. */
export function downloadAttachmentRoute(app: App, context: HttpContext): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/attachments/:attachmentId/:fileName',
    schema: {
      params: Type.Object({ attachmentId: PathPart, fileName: PathPart }),
      querystring: Type.Object({ variant: Type.Optional(Type.Literal('thumbnail')) }),
    },
    async handler(request, reply) {
      requireScope(request.principal, 'read')
      const ref = { id: integerId(request.params.attachmentId, 'Attachment') }
      const attachment = await readableAttachment(context.db, ref, request.principal)
      const ready = downloadable(attachment, request.params.fileName)
      if (request.query.variant !== undefined)
        throw new StowageError('not_found', 'Attachment not found: it has no thumbnail')
      return sendFile(context, request, reply, ready, { embeddable: 'same-site' })
    },
  })
}

/** `DELETE /attachments/:attachmentId`: deletes the attachment for all users before it responds. */
export function deleteAttachmentRoute(app: App, context: HttpContext): void {
  const schema = { params, response: { 200: Type.Object({ httpStatusCode: Type.Literal(200) }) } }
  app.delete('/attachments/:attachmentId', { schema }, async (request) => {
    requireScope(request.principal, 'write')
    const ref = { id: integerId(request.params.attachmentId, 'Attachment') }
    await deleteAttachment(context, await changeableAttachment(context.db, ref, request.principal))
    return { httpStatusCode: 200 as const }
  })
}
