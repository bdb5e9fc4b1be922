import { and, asc, desc, eq, gt, isNull, lt, type SQL, sql } from 'drizzle-orm'
import { readyState } from '../lifecycle/states.ts'
import type { Database } from './client.ts'
import { attachments, members, messages, rooms, transitions } from './schema.ts'
import type { Attachment } from './transitions.ts'

/** An attachment by its integer id (cookie API) or its string id (bearer API). */
export type AttachmentRef = { id: number } | { publicId: string }

/** An attachment with the string id of its message. */
export interface AttachmentRecord extends Attachment {
  messagePublicId: string
}

/** What a user is in the attachment's room; `null` is nobody. */
export type Standing = 'member' | 'moderator' | null

const record = { attachment: attachments, messagePublicId: messages.publicId }
const toRecord = ({ attachment, messagePublicId }: { attachment: Attachment; messagePublicId: string }) => ({
  ...attachment,
  messagePublicId,
})
const alive = and(isNull(attachments.deletedAt), isNull(messages.deletedAt), isNull(rooms.deletedAt))

function refersTo(ref: AttachmentRef): SQL {
  return 'id' in ref ? eq(attachments.id, ref.id) : eq(attachments.publicId, ref.publicId)
}

/** An attachment that is not deleted, and what `userId` is in its room. */
export async function findAttachment(
  db: Database,
  ref: AttachmentRef,
  userId: number,
): Promise<{ attachment: AttachmentRecord; standing: Standing } | undefined> {
  const [row] = await db
    .select({ ...record, moderator: members.moderator })
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(rooms, eq(rooms.id, attachments.roomId))
    .leftJoin(members, and(eq(members.roomId, attachments.roomId), eq(members.userId, userId)))
    .where(and(refersTo(ref), alive))
  if (row === undefined) return undefined
  const standing = row.moderator === null ? null : row.moderator ? 'moderator' : 'member'
  return { attachment: toRecord(row), standing }
}

/** An attachment that is not deleted, whoever asks: for signed URLs, which carry their own permission. */
export async function findAttachmentForLink(db: Database, publicId: string): Promise<AttachmentRecord | undefined> {
  const [row] = await db
    .select(record)
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(rooms, eq(rooms.id, attachments.roomId))
    .where(and(eq(attachments.publicId, publicId), alive))
  return row && toRecord(row)
}

/** Every attachment of a message, in any state, oldest first. */
export async function listOfMessage(db: Database, messageId: number): Promise<AttachmentRecord[]> {
  const rows = await db
    .select(record)
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(rooms, eq(rooms.id, attachments.roomId))
    .where(and(eq(attachments.messageId, messageId), alive))
    .orderBy(asc(attachments.id))
  return rows.map(toRecord)
}

export interface PageRequest {
  userId: number
  /** Only this room. */
  roomId?: number | undefined
  limit: number
  /** Older than this attachment. */
  after?: number | undefined
  /** Newer than this attachment. */
  before?: number | undefined
}

/** Ready attachments of the user's rooms, newest first: those next to the cursor, and whether there are more beyond. */
export async function listReadyPage(
  db: Database,
  { userId, roomId, limit, after, before }: PageRequest,
): Promise<{ page: AttachmentRecord[]; hasMore: boolean }> {
  const upwards = before !== undefined
  const rows = await db
    .select(record)
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(rooms, eq(rooms.id, attachments.roomId))
    .innerJoin(members, and(eq(members.roomId, attachments.roomId), eq(members.userId, userId)))
    .where(
      and(
        eq(attachments.state, sql.raw(`'${readyState}'`)),
        alive,
        roomId === undefined ? undefined : eq(attachments.roomId, roomId),
        after === undefined ? undefined : lt(attachments.id, after),
        upwards ? gt(attachments.id, before) : undefined,
      ),
    )
    .orderBy(upwards ? asc(attachments.id) : desc(attachments.id))
    .limit(limit + 1)
  const page = rows.slice(0, limit).map(toRecord)
  return { page: upwards ? page.reverse() : page, hasMore: rows.length > limit }
}

/**
 * The integer id behind a cursor. A deleted attachment still marks its place, as long as its row is kept; one of a room
 * the user is not in marks none.
 */
export async function findCursor(db: Database, publicId: string, userId: number): Promise<number | undefined> {
  const [row] = await db
    .select({ id: attachments.id })
    .from(attachments)
    .innerJoin(members, and(eq(members.roomId, attachments.roomId), eq(members.userId, userId)))
    .where(eq(attachments.publicId, publicId))
  return row?.id
}

export type TransitionRecord = typeof transitions.$inferSelect

/** The history of an attachment, oldest first. */
export async function listTransitions(db: Database, attachmentId: number): Promise<TransitionRecord[]> {
  return db.select().from(transitions).where(eq(transitions.attachmentId, attachmentId)).orderBy(asc(transitions.id))
}

/** Gives an attachment another name. @returns `undefined` when it was deleted meanwhile */
export async function renameAttachment(db: Database, id: number, fileName: string): Promise<Attachment | undefined> {
  const [row] = await db
    .update(attachments)
    .set({ fileName, modifiedAt: sql`now()` })
    .where(and(eq(attachments.id, id), isNull(attachments.deletedAt)))
    .returning()
  return row
}

/** Which attachments to bury: one, or everything of a message, a room or an uploader. */
export type Burial = { id: number } | { messageId: number } | { roomId: number } | { uploaderId: number }

/**
 * Sets the tombstone: hidden at once on every replica, never to come back, its bytes handed to the purge, in one
 * statement. A writer that is still at work loses its lease and stops.
 * @returns how many were buried
 */
export async function bury(db: Database, which: Burial): Promise<number> {
  const [name, value] = Object.entries(which)[0] as [keyof typeof burialColumns, number]
  const rows = await db.execute(sql`
    with buried as (
      update attachments set deleted_at = now(), modified_at = now(), lease_expires_at = null
      where ${sql.identifier(burialColumns[name])} = ${value} and deleted_at is null
      returning id
    ), purged as (
      update objects o set purge_at = now() from buried where o.attachment_id = buried.id
    )
    select id from buried`)
  return rows.length
}

const burialColumns = { id: 'id', messageId: 'message_id', roomId: 'room_id', uploaderId: 'uploader_id' } as const
