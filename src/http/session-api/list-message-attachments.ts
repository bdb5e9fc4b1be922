import { Type } from 'typebox'
import { messageIdForMember } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { limits } from '#domain/limits.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart, QueryText } from '#http/schema-types.ts'
import { wholeNumber } from '#http/whole-number.ts'
import { listOfMessage } from '#persistence/attachments.ts'
import { Metadata, metadataOf } from './metadata.ts'

const schema = {
  params: Type.Object({ messageId: PathPart }),
  querystring: Type.Object({ limit: Type.Optional(QueryText), after: Type.Optional(QueryText) }),
  response: {
    200: Type.Object({
      httpStatusCode: Type.Literal(200),
      attachments: Type.Array(Metadata),
      hasMore: Type.Optional(Type.Literal(true)),
    }),
  },
}

/**
 * `GET /messages/:messageId/attachments`: the attachments of the message, in any state, oldest first: at most 1,000, or
 * `?limit`, behind the id `?after`.
 */
export function listMessageAttachmentsRoute(app: App, deps: AppContext): void {
  app.get('/messages/:messageId/attachments', { schema }, async (request) => {
    requireScope(request.principal, 'read')
    const ref = { id: integerId(request.params.messageId, 'Message') }
    const messageId = await messageIdForMember(deps.db, ref, request.principal)
    const { limit = String(limits.messagePage), after = '0' } = request.query
    const { page, hasMore } = await listOfMessage(deps.db, messageId, {
      limit: wholeNumber('limit', limit, 1, limits.messagePage),
      after: wholeNumber('after', after, 0, Number.MAX_SAFE_INTEGER),
    })
    const attachments = page.map(metadataOf)
    return { httpStatusCode: 200 as const, attachments, ...(hasMore && { hasMore: true as const }) }
  })
}
