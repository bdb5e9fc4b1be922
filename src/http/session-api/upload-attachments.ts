import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { messageIdForMember } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { watchBody } from '#http/request-body/body-watch.ts'
import { receiveForm, requireForm } from '#http/request-body/form.ts'
import { PathPart } from '#http/schema-types.ts'
import { uploadingOf } from '#http/uploading.ts'
import { uploadNew } from '#uploads/upload-new.ts'
import { Declarations } from './declarations.ts'

const fileField = 'files'
const schema = {
  params: Type.Object({ messageId: PathPart }),
  response: { 200: Type.Object({ httpStatusCode: Type.Literal(200), attachmentIds: Type.Array(Type.Integer()) }) },
}

/**
 * `POST /messages/:messageId/attachments`: one or more files, Ready together or not at all. Fields before the files may
 * declare `fileChecksum` and `fileSize`, one each per file in the same order.
 */
export function uploadAttachmentsRoute(app: App, deps: AppContext): void {
  const options = { schema, config: { readsBodyAsStream: true }, onRequest: [findMessage(deps), requireForm] }
  app.post('/messages/:messageId/attachments', options, async (request) => {
    const { principal: who, messageId } = request
    using transfer = watchBody(request.raw, deps)
    const { signal } = transfer

    const attachments = await uploadNew(deps, uploadingOf(request, signal), async (receive) => {
      const declarations = new Declarations(deps.config.checksumAlgorithm)
      await receiveForm(request, deps.config, {
        fileField,
        fields: ['fileChecksum', 'fileSize'],
        signal,
        onField: (field) => declarations.add(field),
        onFile: ({ fileName, contentType, body, atMost }) =>
          receive({ messageId, uploaderId: who.userId, fileName, contentType, body, atMost, ...declarations.next() }),
      })
      if (declarations.files === 0)
        throw new StowageError('invalid', `The form holds no file. Send at least one, named "${fileField}".`)
      declarations.end()
    })
    return { httpStatusCode: 200 as const, attachmentIds: attachments.map(({ id }) => id) }
  })
}

/** @throws StowageError `forbidden`, or `not_found` for whoever is not in the message's room */
function findMessage({ db }: Pick<AppContext, 'db'>) {
  return async (request: FastifyRequest): Promise<void> => {
    const { messageId } = request.params as { messageId: string }
    requireScope(request.principal, 'write')
    request.messageId = await messageIdForMember(db, { id: integerId(messageId, 'Message') }, request.principal)
  }
}
