import { Type } from 'typebox'
import { readableAttachment } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { limits } from '#domain/limits.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { integerId } from '#http/ids.ts'
import { PathPart } from '#http/schema-types.ts'
import { listTransitions } from '#persistence/attachments.ts'
import { Metadata, metadataOf, transitionOf } from './metadata.ts'

const schema = {
  params: Type.Object({ attachmentId: PathPart }),
  querystring: Type.Object({ include: Type.Optional(Type.Literal('transitions')) }),
  response: { 200: Metadata },
}

/** `GET /attachments/:attachmentId`: the metadata, in any state; `?include=transitions` adds the history, its latest 1,000 steps. */
export function getAttachmentRoute(app: App, deps: AppContext): void {
  app.get('/attachments/:attachmentId', { schema }, async (request) => {
    requireScope(request.principal, 'read')
    const ref = { id: integerId(request.params.attachmentId, 'Attachment') }
    const attachment = await readableAttachment(deps.db, ref, request.principal)
    const metadata = metadataOf(attachment)
    if (request.query.include === undefined) return metadata
    const most = limits.transitionsPage
    const transitions = await listTransitions(deps.db, attachment.id, most + 1)
    const hasMore = transitions.length > most
    return {
      ...metadata,
      transitions: transitions.slice(-most).map(transitionOf),
      ...(hasMore && { hasMoreTransitions: true as const }),
    }
  })
}
