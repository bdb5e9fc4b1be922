import type { AppContext } from '#app-context.ts'
import { attachmentNotFound, messageNotFound, roomNotFound, StowageError } from '#domain/errors.ts'
import { failpoint } from '#failpoints.ts'
import { type DeletedParent, hide, softDelete, softDeleteContents } from '#persistence/deletion.ts'
import type { AttachmentRecord } from '#persistence/queries.ts'
import { isManagedRoom } from '#persistence/rooms.ts'
import { findUnfinishedPersonalRoom } from '#persistence/users.ts'

/**
 * Deletes an attachment. It is deleted for every replica when the promise resolves; the purge removes the bytes soon after.
 * @param attachment an attachment that the caller may delete
 * @throws StowageError `not_found` when it was deleted concurrently
 */
export async function deleteAttachment(
  context: Pick<AppContext, 'db' | 'wakePurge'>,
  { id }: AttachmentRecord,
): Promise<void> {
  const { count } = await softDelete(context.db, { id })
  context.wakePurge()
  if (count === 0) throw attachmentNotFound()
}

type DeletionContext = Pick<AppContext, 'db' | 'wakePurge' | 'wakeDeletions'>

/** Batches of attachments that the deleting request itself deletes. The workers delete the rest. */
const batchesPerRequest = 2

/**
 * Deletes a message with its attachments: hidden at once, then soft-deleted.
 * @returns false when the workers have to finish the deletion
 * @throws StowageError `not_found`
 */
export function deleteMessage(context: DeletionContext, id: number): Promise<boolean> {
  return deleteParent(context, 'messages', id, messageNotFound())
}

/**
 * Deletes a room with the attachments of its messages: hidden at once, then soft-deleted.
 * @returns false when the workers have to finish the deletion
 * @throws StowageError `not_found`, also for a personal room, which the chat backend does not manage
 */
export async function deleteRoom(context: DeletionContext, id: number): Promise<boolean> {
  if (!(await isManagedRoom(context.db, id))) throw roomNotFound()
  return await deleteParent(context, 'rooms', id, roomNotFound())
}

/**
 * Deletes a user with the uploads, the credentials and the personal room, all hidden at once. The uploads and the attachments of the
 * room are then soft-deleted, and the user leaves every room.
 * @returns false when the workers have to finish the deletion
 * @throws StowageError `not_found`
 */
export function deleteUser(context: DeletionContext, id: number): Promise<boolean> {
  return deleteParent(context, 'users', id, new StowageError('not_found', 'User not found'))
}

/**
 * Hides a parent and soft-deletes the first batches of its attachments. A repeated request continues the deletion before it fails.
 * @returns false when the workers have to finish the deletion
 * @throws `notFound` when the parent is already hidden, or unknown
 */
async function deleteParent(
  { db, wakePurge, wakeDeletions }: DeletionContext,
  parent: DeletedParent,
  id: number,
  notFound: StowageError,
): Promise<boolean> {
  const isHiddenNow = await hide(db, parent, id)
  failpoint('after-hide')
  const { isFinished } = await softDeleteContents(db, parent, id, batchesPerRequest)
  const personalRoom = parent === 'users' ? await findUnfinishedPersonalRoom(db, id) : undefined
  const isEmpty =
    personalRoom === undefined || (await softDeleteContents(db, 'rooms', personalRoom, batchesPerRequest)).isFinished
  if (!isHiddenNow) throw notFound
  wakePurge()
  if (isFinished && isEmpty) return true
  wakeDeletions()
  return false
}
