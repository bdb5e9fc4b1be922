import { Type } from 'typebox'
import { roomIdForMember } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { isPublicId } from '#domain/ids.ts'
import { limits } from '#domain/limits.ts'
import { type Principal, requireScope } from '#domain/principal.ts'
import { requireReady } from '#downloads/download.ts'
import type { App } from '#http/app.ts'
import { QueryText } from '#http/schema-types.ts'
import { wholeNumber } from '#http/whole-number.ts'
import { findCursor, listReadyPage } from '#persistence/attachments.ts'
import { AttachmentObject, attachmentObject } from './attachment-object.ts'
import { refFrom } from './refs.ts'

const schema = {
  querystring: Type.Object({
    conversation_id: Type.Optional(QueryText),
    limit: Type.Optional(QueryText),
    starting_after: Type.Optional(QueryText),
    ending_before: Type.Optional(QueryText),
  }),
  response: { 200: Type.Object({ has_more: Type.Boolean(), data: Type.Array(AttachmentObject) }) },
}

/** `GET /attachments`: the Ready attachments of the user's conversations, or of one, the latest to become Ready
 * first, a page at a time. */
export function listAttachmentsRoute(app: App, deps: AppContext): void {
  const { db } = deps
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
    const after = await cursor(deps, 'starting_after', starting_after, principal)
    const before = await cursor(deps, 'ending_before', ending_before, principal)
    const { page, hasMore } = await listReadyPage(db, { userId: principal.userId, roomId, limit, after, before })
    const reader = { principal, standing: 'member' } as const
    return {
      has_more: hasMore,
      data: page.map((attachment) => attachmentObject(deps, requireReady(attachment), reader)),
    }
  })
}

async function cursor(
  { db }: AppContext,
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
