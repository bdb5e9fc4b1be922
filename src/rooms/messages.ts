import { roomNotFound, StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { insertInternalMessage, upsertMessage } from '#persistence/messages.ts'
import { throwIfDeleted } from './users.ts'

/** The integer id and the public id of a message. */
export interface MessageIds {
  id: number
  publicId: string
}

/**
 * Registers a message and its author. A repeated call changes nothing, and neither does a call that fails.
 * @throws StowageError `not_found` for an unknown room, `conflict` for a deleted message, a deleted author, or a message of
 *   another room
 */
export async function putMessage(
  db: Database,
  id: number,
  { roomId, authorId }: { roomId: number; authorId: number },
): Promise<MessageIds> {
  const message = await upsertMessage(db, id, roomId, authorId)
  throwIfDeleted(message.deletedUser)
  if (message.isDeleted) throw new StowageError('conflict', `Message ${id} was deleted; take a new id.`)
  if (message.roomId !== undefined && message.roomId !== roomId)
    throw new StowageError('conflict', `Message ${id} lies in another room and stays there.`)
  if (!message.hasRoom) throw roomNotFound()
  return { id, publicId: message.publicId as string }
}

/** Creates a message for an upload that names none. @throws StowageError `not_found` when the room is deleted */
export async function createInternalMessage(db: Database, roomId: number, authorId: number): Promise<number> {
  const messageId = await insertInternalMessage(db, roomId, authorId)
  if (messageId === undefined) throw new StowageError('not_found', 'Conversation not found')
  return messageId
}
