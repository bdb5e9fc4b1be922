import { Type } from 'typebox'
import { changeableAttachment } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { actorOf, requireScope } from '#domain/principal.ts'
import { clientSideStates } from '#domain/states.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { declaredChecksum } from '#http/request-body/declared.ts'
import { PathPart, SentFileName, text } from '#http/schema-types.ts'
import { change } from '#uploads/change.ts'
import { Metadata, metadataOf } from './metadata.ts'

const schema = {
  params: Type.Object({ attachmentId: PathPart }),
  body: Type.Object({
    attachmentState: Type.Optional(Type.Enum([...clientSideStates])),
    fileChecksum: Type.Optional(text({ description: 'Hex, in the algorithm of the attachment' })),
    fileName: Type.Optional(SentFileName),
  }),
  response: { 200: Metadata },
}

/** `PATCH /attachments/:attachmentId`: the client tells where it is with its checksum, what that is, or another name. */
export function changeAttachmentRoute(app: App, deps: AppContext): void {
  app.patch('/attachments/:attachmentId', { schema }, async ({ principal, params, body }) => {
    requireScope(principal, 'write')
    const { attachmentState: state, fileChecksum, fileName } = body
    const ref = { id: integerId(params.attachmentId, 'Attachment') }
    const attachment = await changeableAttachment(deps.db, ref, principal)
    if (state === undefined && fileChecksum === undefined && fileName === undefined)
      throw new StowageError('invalid', 'Nothing is to be changed. Send attachmentState, fileChecksum or fileName.')
    const checksum = declaredChecksum('fileChecksum', fileChecksum, attachment.fileChecksumAlgorithm)
    return metadataOf(await change(deps, attachment, { state, checksum, fileName }, actorOf(principal)))
  })
}
