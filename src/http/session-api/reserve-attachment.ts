import { Type } from 'typebox'
import { messageIdForMember } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { actorOf, requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { declaredChecksum } from '#http/request-body/declared.ts'
import { ClaimedType, SentFileName, text } from '#http/schema-types.ts'
import { reserve } from '#uploads/reserve.ts'
import { Metadata, metadataOf } from './metadata.ts'

const schema = {
  body: Type.Object({
    messageId: Type.Integer(),
    fileName: SentFileName,
    fileSize: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Bytes' }),
    contentType: Type.Optional(ClaimedType),
    fileChecksum: Type.Optional(text({ description: 'Hex, in the configured algorithm' })),
  }),
  response: { 201: Metadata },
}

/** `POST /attachments`: announces a file, whose bytes a `PUT` at its address brings later. */
export function reserveAttachmentRoute(app: App, deps: AppContext): void {
  app.post('/attachments', { schema }, async ({ principal, body }, reply) => {
    requireScope(principal, 'write')
    const ref = { id: integerId(String(body.messageId), 'Message') }
    const messageId = await messageIdForMember(deps.db, ref, principal)
    const { fileName, fileSize, contentType, fileChecksum } = body
    const reserved = await reserve(deps, {
      ...{ messageId, uploaderId: principal.userId, fileName, contentType, actor: actorOf(principal) },
      declaredSize: fileSize,
      declaredChecksum: declaredChecksum('fileChecksum', fileChecksum, deps.config.checksumAlgorithm),
    })
    const location = `${deps.publicUrl()}/api/v1/attachments/${reserved.id}`
    return reply.code(201).header('location', location).send(metadataOf(reserved))
  })
}
