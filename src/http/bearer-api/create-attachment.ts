import type { FastifyRequest } from 'fastify'
import { memberOfMessage, memberOfRoom } from '../../access/membership.ts'
import { type Principal, requireScope } from '../../access/principal.ts'
import { addOwnMessage } from '../../chat/messages.ts'
import { ownConversation } from '../../chat/users.ts'
import { findAttachment } from '../../db/attachments.ts'
import type { Deps } from '../../deps.ts'
import { StowageError } from '../../errors.ts'
import { requireReady } from '../../lifecycle/serve.ts'
import { type ReceiveNew, uploadNew } from '../../lifecycle/upload-new.ts'
import type { App } from '../app.ts'
import { declaredChecksum, declaredSize } from '../forms/declared.ts'
import { type FormFile, receiveForm } from '../forms/receive-form.ts'
import { openTransfer } from '../forms/transfer.ts'
import { uploadingOf } from '../uploading.ts'
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
export function createAttachmentRoute(app: App, deps: Deps): void {
  app.post('/attachments', { schema, config: { watchesOwnBody: true } }, async (request, reply) => {
    const who = request.principal
    requireScope(who, 'write')
    using transfer = openTransfer(request.raw, deps.config.uploadIdleSeconds)
    const [uploaded] = await uploadNew(deps, uploadingOf(request, transfer.signal), (receive) =>
      receiveOne(deps, request, receive, transfer.signal),
    )
    const found = uploaded && (await findAttachment(deps.db, { id: uploaded.id }, who.userId))
    if (!found) throw new StowageError('conflict', 'The attachment was deleted as soon as it was ready.')
    const created = attachmentObject(deps, requireReady(found.attachment), { principal: who, standing: found.standing })
    return reply.code(201).header('location', `${deps.publicUrl()}/v1/attachments/${created.id}`).send(created)
  })
}

async function receiveOne(
  deps: Deps,
  request: FastifyRequest,
  receive: ReceiveNew,
  signal: AbortSignal,
): Promise<void> {
  const fields: Fields = {}
  let files = 0
  await receiveForm(request, deps.config, {
    fileField,
    signal,
    onField({ name, value }) {
      const known = fieldNames.find((field) => field === name)
      if (known && files > 0)
        throw new StowageError('invalid', `The field "${name}" comes after the file. Send it before.`)
      if (known) fields[known] = value
    },
    async onFile(file) {
      files += 1
      if (files > 1) throw new StowageError('invalid', 'The form holds more than one file. Send one a request.')
      await receive(await incoming(deps, request.principal, fields, file))
    },
  })
  if (files === 0) throw new StowageError('invalid', `The form holds no file. Send one, named "${fileField}".`)
}

async function incoming(deps: Deps, who: Principal, fields: Fields, { fileName, contentType, body, atMost }: FormFile) {
  const { checksum, file_size: size } = fields
  return {
    declaredChecksum: declaredChecksum('checksum', checksum, deps.config.checksumAlgorithm),
    declaredSize: size === undefined ? undefined : declaredSize('file_size', size),
    messageId: await messageFor(deps, who, fields),
    uploaderId: who.userId,
    fileName: fields.filename ?? fileName,
    contentType,
    body,
    atMost,
  }
}

/** The message that is named, or a new one in the conversation that is named, or in the user's own. */
async function messageFor({ db }: Deps, who: Principal, fields: Fields): Promise<number> {
  const { conversation_id, message_id } = fields
  if (message_id !== undefined && conversation_id !== undefined)
    throw new StowageError('invalid', 'message_id and conversation_id exclude each other. Send one of them.')
  if (message_id !== undefined) return memberOfMessage(db, refFrom(message_id, 'Message'), who)
  const roomId =
    conversation_id === undefined
      ? (await ownConversation(db, who.userId)).id
      : await memberOfRoom(db, refFrom(conversation_id, 'Conversation'), who)
  const messageId = await addOwnMessage(db, roomId, who.userId)
  if (messageId === undefined) throw new StowageError('not_found', 'Conversation not found')
  return messageId
}
