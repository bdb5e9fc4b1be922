import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import { isNamed } from '#domain/file-name.ts'
import type { Principal } from '#domain/principal.ts'
import { type AttachmentRef, type FoundAttachment, findAttachment, type RoomRole } from '#persistence/attachments.ts'
import type { Database } from '#persistence/connection/client.ts'
import { prepared } from '#persistence/prepared.ts'
import { members, messages, rooms } from '#persistence/schema.ts'

/** A room or message by its integer id (cookie API) or its string id (bearer API). */
export type Ref = { id: number } | { publicId: string }

/** An attachment as somebody sees it, and what they are in its room. */
export interface VisibleAttachment extends FoundAttachment {
  standing: RoomRole
}

/**
 * The attachment, for a member of its room. To anybody else it does not exist.
 * @throws StowageError `not_found`
 */
export async function readableAttachment(db: Database, ref: AttachmentRef, who: Principal): Promise<VisibleAttachment> {
  const found = await findAttachment(db, ref, who.userId)
  if (!found || found.standing === null) throw attachmentNotFound()
  return { ...found.attachment, standing: found.standing }
}

/**
 * The attachment, for those who may change or delete it: its uploader, as long as they are in its room, the room's moderators
 * and admin tokens.
 * @throws StowageError `forbidden` for other members of the room, `not_found` for anybody else
 */
export async function changeableAttachment(
  db: Database,
  ref: AttachmentRef,
  who: Principal,
): Promise<VisibleAttachment> {
  const found = await findAttachment(db, ref, who.userId)
  if (!found) throw attachmentNotFound()
  const { attachment, standing } = found
  const isAdmin = who.scopes.includes('admin')
  if (standing === null && !isAdmin) throw attachmentNotFound()
  if (isAdmin || attachment.uploaderId === who.userId || standing === 'moderator') return { ...attachment, standing }
  throw new StowageError('forbidden', 'Only the uploader or a moderator of the room may do this. Ask one of them.')
}

/**
 * The attachment by its current name, for the one who uploads it, as long as they are in its room.
 * @throws StowageError `forbidden` for other members of the room, `not_found` for anybody else and under any other name
 */
export async function uploadableAttachment(
  db: Database,
  ref: AttachmentRef,
  who: Principal,
  fileName: string,
): Promise<VisibleAttachment> {
  const attachment = await readableAttachment(db, ref, who)
  if (attachment.uploaderId !== who.userId)
    throw new StowageError('forbidden', 'Only the uploader may send the bytes of this attachment.')
  if (!isNamed(attachment.fileName, fileName)) throw attachmentNotFound()
  return attachment
}

export function attachmentNotFound(): StowageError {
  return new StowageError('not_found', 'Attachment not found')
}

export function messageNotFound(): StowageError {
  return new StowageError('not_found', 'Message not found')
}

const messageByItsId = prepared((db) => messageFor(db, eq(messages.id, sql.placeholder('ref'))).prepare('own_message'))
const messageByPublicId = prepared((db) =>
  messageFor(db, eq(messages.publicId, sql.placeholder('ref'))).prepare('own_message_by_public_id'),
)

function messageFor(db: Database, isIt: SQL) {
  return db
    .select({ id: messages.id })
    .from(messages)
    .innerJoin(rooms, eq(rooms.id, messages.roomId))
    .innerJoin(members, and(eq(members.roomId, rooms.id), eq(members.userId, sql.placeholder('userId'))))
    .where(and(isIt, isNull(messages.deletedAt), isNull(rooms.deletedAt)))
}

/** The message's integer id, for a member of its room. @throws StowageError `not_found` */
export async function messageIdForMember(db: Database, ref: Ref, { userId }: Principal): Promise<number> {
  const [row] =
    'id' in ref
      ? await messageByItsId(db).execute({ ref: ref.id, userId })
      : await messageByPublicId(db).execute({ ref: ref.publicId, userId })
  if (!row) throw messageNotFound()
  return row.id
}

/** The room's integer id, for a member. @throws StowageError `not_found` */
export async function roomIdForMember(db: Database, ref: Ref, who: Principal): Promise<number> {
  const [row] = await db
    .select({ id: rooms.id })
    .from(rooms)
    .innerJoin(members, and(eq(members.roomId, rooms.id), eq(members.userId, who.userId)))
    .where(and('id' in ref ? eq(rooms.id, ref.id) : eq(rooms.publicId, ref.publicId), isNull(rooms.deletedAt)))
  if (!row) throw new StowageError('not_found', 'Conversation not found')
  return row.id
}
