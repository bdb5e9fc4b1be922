import { roomNotFound, StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { insertInternalMessage, upsertMessage } from '#persistence/messages.ts'
import { throwIfDeleted } from './users.ts'

/** A message with both its ids. */
export interface MessageIds {
  id: number
  publicId: string
}

/**
 * Makes a message known, with its author. Doing it again changes nothing; when something is wrong nothing is changed.
 * @throws StowageError `not_found` when the room is not known, `conflict` when the message was deleted or is in another
 *   room, or when its author was deleted
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

/** Makes a message for an upload that names none. @throws StowageError `not_found` when the conversation is gone */
export async function createInternalMessage(db: Database, roomId: number, authorId: number): Promise<number> {
  const messageId = await insertInternalMessage(db, roomId, authorId)
  if (messageId === undefined) throw new StowageError('not_found', 'Conversation not found')
  return messageId
}
