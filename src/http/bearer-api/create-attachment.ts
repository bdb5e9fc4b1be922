import type { FastifyRequest } from 'fastify'
import { messageIdForMember, roomIdForMember } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { type Principal, requireScope } from '#domain/principal.ts'
import { requireReady } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import { watchBody } from '#http/request-body/body-watch.ts'
import { declaredChecksum, declaredSize } from '#http/request-body/declared.ts'
import { type FormFile, receiveForm, requireForm } from '#http/request-body/form.ts'
import { uploadingOf } from '#http/uploading.ts'
import { findAttachment } from '#persistence/attachments.ts'
import { createInternalMessage } from '#rooms/messages.ts'
import { personalRoom } from '#rooms/users.ts'
import { type ReceiveNew, uploadNew } from '#uploads/upload-new.ts'
import { AttachmentObject, attachmentObject } from './attachment-object.ts'
import { refFrom } from './refs.ts'

const fileField = 'file'
const fieldNames = ['conversation_id', 'message_id', 'filename', 'checksum', 'file_size'] as const
type Fields = Partial<Record<(typeof fieldNames)[number], string>>

const schema = { response: { 201: AttachmentObject } }

/**
 * `POST /attachments`: exactly one file, to the message or conversation that a field before it names, else to the user's
 * own conversation.
 */
export function createAttachmentRoute(app: App, deps: AppContext): void {
  const options = { schema, config: { readsBodyAsStream: true }, onRequest: [requireWriter, requireForm] }
  app.post('/attachments', options, async (request, reply) => {
    const who = request.principal
    using transfer = watchBody(request.raw, deps)
    const [uploaded] = await uploadNew(deps, uploadingOf(request, transfer.signal), (receive) =>
      receiveOne(deps, request, receive, transfer.signal),
    )
    const found = uploaded && (await findAttachment(deps.db, { id: uploaded.id }, who.userId))
    if (!found) throw new StowageError('conflict', 'The attachment was deleted as soon as it was ready.')
    const created = attachmentObject(deps, requireReady(found.attachment), { principal: who, standing: found.standing })
    return reply.code(201).header('location', `${deps.publicUrl()}/v1/attachments/${created.id}`).send(created)
  })
}

/** @throws StowageError `forbidden` */
async function requireWriter({ principal }: FastifyRequest): Promise<void> {
  requireScope(principal, 'write')
}

async function receiveOne(
  deps: AppContext,
  request: FastifyRequest,
  receive: ReceiveNew,
  signal: AbortSignal,
): Promise<void> {
  const who = request.principal
  const fields: Fields = {}
  const elsewhere = new AbortController()
  let place: Promise<Place> | undefined
  let files = 0
  await receiveForm(request, deps.config, {
    fileField,
    fields: fieldNames,
    signal: AbortSignal.any([signal, elsewhere.signal]),
    onField({ name, value }) {
      const known = fieldNames.find((field) => field === name)
      if (known && files > 0)
        throw new StowageError('invalid', `The field "${name}" comes after the file. Send it before.`)
      if (known && fields[known] !== undefined)
        throw new StowageError('invalid', `The field "${known}" comes twice. Send it once.`)
      if (known) fields[known] = value
      if (known !== 'message_id' && known !== 'conversation_id') return
      place = placeOf(deps, who, fields)
      // A form for a place that is not theirs ends at once, whatever else of it is to come.
      place.catch((error) => elsewhere.abort(error))
    },
    async onFile(file) {
      files += 1
      if (files > 1) throw new StowageError('invalid', 'The form holds more than one file. Send one a request.')
      const messageId = await messageIn(deps, who, await (place ?? placeOf(deps, who, fields)))
      await receive(incoming(deps, { messageId, uploaderId: who.userId }, fields, file))
    },
  })
  if (files === 0) throw new StowageError('invalid', `The form holds no file. Send one, named "${fileField}".`)
}

function incoming(
  deps: AppContext,
  where: { messageId: number; uploaderId: number },
  { checksum, file_size: size, filename }: Fields,
  { fileName, contentType, body, atMost }: FormFile,
) {
  return {
    ...where,
    declaredChecksum: declaredChecksum('checksum', checksum, deps.config.checksumAlgorithm),
    declaredSize: size === undefined ? undefined : declaredSize('file_size', size),
    fileName: filename ?? fileName,
    contentType,
    body,
    atMost,
  }
}

/** A message that is there, or a conversation in which one is made. */
type Place = { messageId: number } | { roomId: number }

/** What the fields name, or the user's own conversation. @throws StowageError `invalid`, `not_found` */
async function placeOf({ db }: AppContext, who: Principal, { conversation_id, message_id }: Fields): Promise<Place> {
  if (message_id !== undefined && conversation_id !== undefined)
    throw new StowageError('invalid', 'message_id and conversation_id exclude each other. Send one of them.')
  if (message_id !== undefined) return { messageId: await messageIdForMember(db, refFrom(message_id, 'Message'), who) }
  if (conversation_id === undefined) return { roomId: (await personalRoom(db, who.userId)).id }
  return { roomId: await roomIdForMember(db, refFrom(conversation_id, 'Conversation'), who) }
}

async function messageIn({ db }: AppContext, who: Principal, place: Place): Promise<number> {
  if ('messageId' in place) return place.messageId
  const messageId = await createInternalMessage(db, place.roomId, who.userId)
  if (messageId === undefined) throw new StowageError('not_found', 'Conversation not found')
  return messageId
}
