import type { AppContext } from '#app-context.ts'
import { attachmentNotFound, messageNotFound, roomNotFound, StowageError } from '#domain/errors.ts'
import { failpoint } from '#failpoints.ts'
import { type DeletedParent, hide, softDelete, softDeleteContents } from '#persistence/deletion.ts'
import type { AttachmentRecord } from '#persistence/queries.ts'
import { isManagedRoom } from '#persistence/rooms.ts'
import { findUnfinishedPersonalRoom } from '#persistence/users.ts'

/**
 * Deletes an attachment: gone for every replica when this resolves, its bytes soon after.
 * @param attachment one that the caller may delete
 * @throws StowageError `not_found` when it was deleted meanwhile
 */
export async function deleteAttachment(
  deps: Pick<AppContext, 'db' | 'wakePurge'>,
  { id }: AttachmentRecord,
): Promise<void> {
  const { count } = await softDelete(deps.db, { id })
  deps.wakePurge()
  if (count === 0) throw attachmentNotFound()
}

type DeletionContext = Pick<AppContext, 'db' | 'wakePurge' | 'wakeDeletions'>

/** Batches of attachments that the request for a deletion deletes itself. The workers do the rest. */
const batchesAtOnce = 2

/** Deletes a message with its attachments: hidden at once, then soft-deleted. @throws StowageError `not_found` */
export function deleteMessage(context: DeletionContext, id: number): Promise<boolean> {
  return deleteParent(context, 'messages', id, messageNotFound())
}

/**
 * Deletes a room with the attachments of its messages: hidden at once, then soft-deleted. The chat backend manages no personal rooms.
 * @throws StowageError `not_found`
 */
export async function deleteRoom(context: DeletionContext, id: number): Promise<boolean> {
  if (!(await isManagedRoom(context.db, id))) throw roomNotFound()
  return await deleteParent(context, 'rooms', id, roomNotFound())
}

/**
 * Deletes a user with their uploads, credentials and personal room: hidden at once. The uploads and the room's attachments are then
 * soft-deleted, and the user leaves every room.
 * @throws StowageError `not_found`
 */
export function deleteUser(context: DeletionContext, id: number): Promise<boolean> {
  return deleteParent(context, 'users', id, new StowageError('not_found', 'User not found'))
}

/**
 * Another request for the same deletion goes on with it before it is answered `notFound`.
 * @returns false when the workers have to finish it
 */
async function deleteParent(
  { db, wakePurge, wakeDeletions }: DeletionContext,
  parent: DeletedParent,
  id: number,
  notFound: StowageError,
): Promise<boolean> {
  const isHiddenNow = await hide(db, parent, id)
  failpoint('after-hide')
  const { isFinished } = await softDeleteContents(db, parent, id, batchesAtOnce)
  const personalRoom = parent === 'users' ? await findUnfinishedPersonalRoom(db, id) : undefined
  const isEmpty =
    personalRoom === undefined || (await softDeleteContents(db, 'rooms', personalRoom, batchesAtOnce)).isFinished
  if (!isHiddenNow) throw notFound
  wakePurge()
  if (isFinished && isEmpty) return true
  wakeDeletions()
  return false
}
