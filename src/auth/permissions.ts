import { attachmentNotFound, messageNotFound, StowageError } from '#domain/errors.ts'
import { isNamed } from '#domain/file-name.ts'
import type { Ref } from '#domain/ids.ts'
import type { Principal } from '#domain/principal.ts'
import type { Database } from '#persistence/connection/client.ts'
import { findMessageOf } from '#persistence/messages.ts'
import { type FoundAttachment, findAttachment, type RoomRole } from '#persistence/queries.ts'
import { findRoomOf } from '#persistence/rooms.ts'

/** An attachment, and the role of the requesting user in its room. */
export interface VisibleAttachment extends FoundAttachment {
  role: RoomRole
}

/**
 * Finds an attachment for a member of its room.
 * @throws StowageError `not_found`, also for users outside the room
 */
export async function readableAttachment(db: Database, ref: Ref, principal: Principal): Promise<VisibleAttachment> {
  const found = await findAttachment(db, ref, principal.userId)
  if (!found || found.role === null) throw attachmentNotFound()
  return { ...found.attachment, role: found.role }
}

/**
 * Finds an attachment for a principal that may change or delete it: the uploader while in the room, a moderator of the room, or an
 * admin token.
 * @throws StowageError `forbidden` for other members of the room, `not_found` for users outside the room
 */
export async function changeableAttachment(db: Database, ref: Ref, principal: Principal): Promise<VisibleAttachment> {
  const found = await findAttachment(db, ref, principal.userId)
  if (!found) throw attachmentNotFound()
  const { attachment, role } = found
  const isAdmin = principal.scopes.includes('admin')
  if (role === null && !isAdmin) throw attachmentNotFound()
  if (isAdmin || attachment.uploaderId === principal.userId || role === 'moderator') return { ...attachment, role }
  throw new StowageError('forbidden', 'Only the uploader or a moderator of the room may do this. Ask one of them.')
}

/**
 * Finds an attachment by its current name, for the uploader while in the room.
 * @throws StowageError `forbidden` for other members of the room, `not_found` for users outside the room and for any other name
 */
export async function uploadableAttachment(
  db: Database,
  ref: Ref,
  principal: Principal,
  fileName: string,
): Promise<VisibleAttachment> {
  const attachment = await readableAttachment(db, ref, principal)
  if (attachment.uploaderId !== principal.userId)
    throw new StowageError('forbidden', 'Only the uploader may send the bytes of this attachment.')
  if (!isNamed(attachment.fileName, fileName)) throw attachmentNotFound()
  return attachment
}

/** The integer id of a message, for a member of its room. @throws StowageError `not_found` */
export async function messageIdForMember(db: Database, ref: Ref, { userId }: Principal): Promise<number> {
  const id = await findMessageOf(db, ref, userId)
  if (id === undefined) throw messageNotFound()
  return id
}

/** The integer id of a room, for a member. @throws StowageError `not_found` */
export async function roomIdForMember(db: Database, ref: Ref, { userId }: Principal): Promise<number> {
  const id = await findRoomOf(db, ref, userId)
  if (id === undefined) throw new StowageError('not_found', 'Conversation not found')
  return id
}
