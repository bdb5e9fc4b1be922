import { attachmentNotFound, messageNotFound, StowageError } from '#domain/errors.ts'
import { isNamed } from '#domain/file-name.ts'
import type { Ref } from '#domain/ids.ts'
import type { Principal } from '#domain/principal.ts'
import type { Database } from '#persistence/connection/client.ts'
import { findMessageOf } from '#persistence/messages.ts'
import { type FoundAttachment, findAttachment, type RoomRole } from '#persistence/queries.ts'
import { findRoomOf } from '#persistence/rooms.ts'

/** An attachment as somebody sees it, and what they are in its room. */
export interface VisibleAttachment extends FoundAttachment {
  role: RoomRole
}

/**
 * The attachment, for a member of its room. To anybody else it does not exist.
 * @throws StowageError `not_found`
 */
export async function readableAttachment(db: Database, ref: Ref, who: Principal): Promise<VisibleAttachment> {
  const found = await findAttachment(db, ref, who.userId)
  if (!found || found.role === null) throw attachmentNotFound()
  return { ...found.attachment, role: found.role }
}

/**
 * The attachment, for those who may change or delete it: its uploader, as long as they are in its room, the room's moderators
 * and admin tokens.
 * @throws StowageError `forbidden` for other members of the room, `not_found` for anybody else
 */
export async function changeableAttachment(db: Database, ref: Ref, who: Principal): Promise<VisibleAttachment> {
  const found = await findAttachment(db, ref, who.userId)
  if (!found) throw attachmentNotFound()
  const { attachment, role } = found
  const isAdmin = who.scopes.includes('admin')
  if (role === null && !isAdmin) throw attachmentNotFound()
  if (isAdmin || attachment.uploaderId === who.userId || role === 'moderator') return { ...attachment, role }
  throw new StowageError('forbidden', 'Only the uploader or a moderator of the room may do this. Ask one of them.')
}

/**
 * The attachment by its current name, for the one who uploads it, as long as they are in its room.
 * @throws StowageError `forbidden` for other members of the room, `not_found` for anybody else and under any other name
 */
export async function uploadableAttachment(
  db: Database,
  ref: Ref,
  who: Principal,
  fileName: string,
): Promise<VisibleAttachment> {
  const attachment = await readableAttachment(db, ref, who)
  if (attachment.uploaderId !== who.userId)
    throw new StowageError('forbidden', 'Only the uploader may send the bytes of this attachment.')
  if (!isNamed(attachment.fileName, fileName)) throw attachmentNotFound()
  return attachment
}

/** The message's integer id, for a member of its room. @throws StowageError `not_found` */
export async function messageIdForMember(db: Database, ref: Ref, { userId }: Principal): Promise<number> {
  const id = await findMessageOf(db, ref, userId)
  if (id === undefined) throw messageNotFound()
  return id
}

/** The room's integer id, for a member. @throws StowageError `not_found` */
export async function roomIdForMember(db: Database, ref: Ref, { userId }: Principal): Promise<number> {
  const id = await findRoomOf(db, ref, userId)
  if (id === undefined) throw new StowageError('not_found', 'Conversation not found')
  return id
}
