import type { FastifyRequest } from 'fastify'
import { messageIdForMember, roomIdForMember } from '#auth/permissions.ts'
import { StowageError } from '#domain/errors.ts'
import { type Principal, requireScope } from '#domain/principal.ts'
import { requireReady } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { refFrom } from '#http/parameters.ts'
import { type BodyWatch, uploadRequestOf, watchBody } from '#http/request-body/body-watch.ts'
import { declaredChecksum, declaredSize } from '#http/request-body/declared-values.ts'
import { type FormField, readForm, requireForm } from '#http/request-body/form.ts'
import { findAttachment } from '#persistence/queries.ts'
import { createInternalMessage } from '#rooms/messages.ts'
import { personalRoom } from '#rooms/users.ts'
import type { NewFile } from '#uploads/incoming-file.ts'
import { upload } from '#uploads/upload.ts'
import { AttachmentObject, attachmentObject } from './attachment-object.ts'

const fileField = 'file'
const fieldNames = ['conversation_id', 'message_id', 'filename', 'checksum', 'file_size'] as const
type FieldName = (typeof fieldNames)[number]
type Fields = Partial<Record<FieldName, string>>

/**
 * `POST /attachments`: uploads exactly one file to the message or conversation that a preceding field names, or else to the
 * personal room of the user.
 */
export function createAttachmentRoute(app: App, context: HttpContext): void {
  const schema = { response: { 201: AttachmentObject } }
  const options = { schema, config: { readsBodyAsStream: true }, onRequest: [requireWriter, requireForm] }
  app.post('/attachments', options, async (request, reply) => {
    const { principal } = request
    using watch = watchBody(request.raw, context)
    const files = fileOfForm(request, context, watch)
    const [uploaded] = await upload(context, uploadRequestOf(request, watch), files)
    const found = uploaded && (await findAttachment(context.db, { id: uploaded.id }, principal.userId))
    if (!found) throw new StowageError('conflict', 'The attachment was deleted as soon as it was ready.')
    const created = attachmentObject(context, requireReady(found.attachment), { principal, role: found.role })
    return reply.code(201).header('location', `${context.publicUrl()}/v1/attachments/${created.id}`).send(created)
  })
}

/** @throws StowageError `forbidden` */
async function requireWriter({ principal }: FastifyRequest): Promise<void> {
  requireScope(principal, 'write')
}

/** The only file of the form, with the fields before it. */
async function* fileOfForm(
  request: FastifyRequest,
  context: HttpContext,
  watch: BodyWatch,
): AsyncGenerator<NewFile, void, undefined> {
  const { principal } = request
  const fields: Fields = {}
  let destination: Promise<Destination> | undefined
  let files = 0
  for await (const part of readForm(request, context.config, { fileField, fields: fieldNames }, watch)) {
    if ('value' in part) {
      const name = addField(fields, part, files > 0)
      if (name !== 'message_id' && name !== 'conversation_id') continue
      destination = destinationOf(context, principal, fields)
      // A form for a destination without permission is refused at once, before the rest of it arrives.
      destination.catch((error) => watch.fail(error))
      continue
    }
    files += 1
    if (files > 1) throw new StowageError('invalid', 'The form holds more than one file. Send one a request.')
    const { roomId, messageId } = await (destination ?? destinationOf(context, principal, fields))
    yield {
      messageId: messageId ?? (await createInternalMessage(context.db, roomId, principal.userId)),
      uploaderId: principal.userId,
      fileName: fields.filename ?? part.fileName,
      contentType: part.contentType,
      declaredSize: fields.file_size === undefined ? undefined : declaredSize('file_size', fields.file_size),
      declaredChecksum: declaredChecksum('checksum', fields.checksum, context.config.checksumAlgorithm),
      body: part.body,
      atMost: part.atMost,
    }
  }
  if (files === 0) throw new StowageError('invalid', `The form holds no file. Send one, named "${fileField}".`)
}

/** @throws StowageError `invalid` for a field after the file, and for one that occurs twice */
function addField(fields: Fields, { name, value }: FormField, isLate: boolean): FieldName {
  const known = name as FieldName
  if (isLate) throw new StowageError('invalid', `The field "${known}" comes after the file. Send it before.`)
  if (fields[known] !== undefined) throw new StowageError('invalid', `The field "${known}" comes twice. Send it once.`)
  fields[known] = value
  return known
}

/** An existing message, or a room in which a message will be created. */
type Destination = { messageId: number; roomId?: undefined } | { roomId: number; messageId?: undefined }

/**
 * The destination that the fields name, or else the personal room of the user.
 * @throws StowageError `invalid`, `not_found`
 */
async function destinationOf(
  { db }: HttpContext,
  principal: Principal,
  { conversation_id, message_id }: Fields,
): Promise<Destination> {
  if (message_id !== undefined && conversation_id !== undefined)
    throw new StowageError('invalid', 'message_id and conversation_id exclude each other. Send one of them.')
  if (message_id !== undefined)
    return { messageId: await messageIdForMember(db, refFrom(message_id, 'Message'), principal) }
  if (conversation_id === undefined) return { roomId: (await personalRoom(db, principal.userId)).id }
  return { roomId: await roomIdForMember(db, refFrom(conversation_id, 'Conversation'), principal) }
}
