import { Type } from 'typebox'
import { changeableAttachment, readableAttachment, roomIdForMember } from '#auth/permissions.ts'
import { deleteAttachment } from '#deletion/delete.ts'
import { StowageError } from '#domain/errors.ts'
import { isPublicId } from '#domain/ids.ts'
import { limits } from '#domain/limits.ts'
import { type Principal, requireScope } from '#domain/principal.ts'
import { requireReady } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import {
  PathPart,
  publicId,
  QueryText,
  refFrom,
  SentFileName,
  takeMissingBodyAsEmpty,
  wholeNumber,
} from '#http/parameters.ts'
import { findCursor, listReadyPage } from '#persistence/queries.ts'
import { rename } from '#uploads/change.ts'
import { AttachmentObject, attachmentObject } from './attachment-object.ts'

const params = Type.Object({ id: PathPart })

/**
 * `GET /attachments`: a page of the Ready attachments of all conversations of the user, or of one. The latest to become Ready
 * comes first.
 */
export function listAttachmentsRoute(app: App, context: HttpContext): void {
  const { db } = context
  const schema = {
    querystring: Type.Object({
      conversation_id: Type.Optional(QueryText),
      limit: Type.Optional(QueryText),
      starting_after: Type.Optional(QueryText),
      ending_before: Type.Optional(QueryText),
    }),
    response: { 200: Type.Object({ has_more: Type.Boolean(), data: Type.Array(AttachmentObject) }) },
  }
  app.get('/attachments', { schema }, async ({ query, principal }) => {
    requireScope(principal, 'read')
    const limit = wholeNumber('limit', query.limit ?? '10', 1, limits.page)
    const { conversation_id, starting_after, ending_before } = query
    if (starting_after !== undefined && ending_before !== undefined)
      throw new StowageError('invalid', 'starting_after and ending_before exclude each other. Send one of them.')
    const roomId =
      conversation_id === undefined
        ? undefined
        : await roomIdForMember(db, refFrom(conversation_id, 'Conversation'), principal)
    const after = await cursor(context, 'starting_after', starting_after, principal)
    const before = await cursor(context, 'ending_before', ending_before, principal)
    const { page, hasMore } = await listReadyPage(db, { userId: principal.userId, roomId, limit, after, before })
    const reader = { principal, role: 'member' } as const
    return {
      has_more: hasMore,
      data: page.map((attachment) => attachmentObject(context, requireReady(attachment), reader)),
    }
  })
}

/** The position in the list of the attachment with this id. @throws StowageError `invalid`, which names the parameter */
async function cursor(
  { db }: HttpContext,
  name: string,
  id: string | undefined,
  { userId }: Principal,
): Promise<number | undefined> {
  if (id === undefined) return undefined
  const found = isPublicId(id) ? await findCursor(db, id, userId) : undefined
  if (found === undefined)
    throw new StowageError('invalid', `${name} is not the id of an attachment you can list. Start again without it.`)
  return found
}

/** `GET /attachments/:id`: a Ready attachment. */
export function getAttachmentRoute(app: App, context: HttpContext): void {
  const schema = { params, response: { 200: AttachmentObject } }
  app.get('/attachments/:id', { schema }, async ({ params, principal }) => {
    requireScope(principal, 'read')
    const ref = { publicId: publicId(params.id, 'Attachment') }
    const attachment = requireReady(await readableAttachment(context.db, ref, principal))
    return attachmentObject(context, attachment, { principal, role: attachment.role })
  })
}

/** `PUT /attachments/:id`: renames the attachment, which gets a new `file_url`. The old one stops working. */
export function updateAttachmentRoute(app: App, context: HttpContext): void {
  // Seed 001 lists `filename` as optional. Without it, nothing changes.
  const body = Type.Object({ filename: Type.Optional(SentFileName) })
  const options = {
    schema: { params, body, response: { 200: AttachmentObject } },
    preValidation: takeMissingBodyAsEmpty,
  }
  app.put('/attachments/:id', options, async ({ params, body, principal }) => {
    requireScope(principal, 'write')
    const ref = { publicId: publicId(params.id, 'Attachment') }
    const current = requireReady(await changeableAttachment(context.db, ref, principal))
    const reader = { principal, role: current.role }
    if (body.filename === undefined) return attachmentObject(context, current, reader)
    return attachmentObject(context, requireReady(await rename(context, current, body.filename)), reader)
  })
}

/** `DELETE /attachments/:id`: deletes the attachment for all users before it responds. */
export function deleteAttachmentRoute(app: App, context: HttpContext): void {
  app.delete('/attachments/:id', { schema: { params } }, async (request, reply) => {
    requireScope(request.principal, 'write', 'admin')
    const ref = { publicId: publicId(request.params.id, 'Attachment') }
    await deleteAttachment(context, await changeableAttachment(context.db, ref, request.principal))
    return reply.code(204).send()
  })
}
