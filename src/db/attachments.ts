import { and, asc, desc, eq, gt, isNull, lt, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { type AttachmentState, readyState } from '../lifecycle/states.ts'
import { type Database, rowsOf } from './client.ts'
import { databaseTime } from './clock.ts'
import { prepared } from './prepared.ts'
import { quoted } from './quoted.ts'
import { attachments, members, messages, objects, rooms, transitions, users } from './schema.ts'
import type { Attachment, Attempt } from './transitions.ts'

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
/** What a deletion hides is hidden at once, although its attachments are buried one batch after the other. */
const alive = and(
  isNull(attachments.deletedAt),
  isNull(messages.deletedAt),
  isNull(rooms.deletedAt),
  isNull(users.deletedAt),
)

/** One attachment with all there is to say of it. */
export interface FoundAttachment extends AttachmentRecord {
  /** Where the bytes of the latest attempt lie; `null` before the first one, and once they are handed to the purge. */
  objectKey: string | null
}

const idOf = { id: attachments.id, publicId: attachments.publicId }

function selectOne(db: Database, by: keyof typeof idOf) {
  return db
    .select({ ...record, objectKey: objects.key, moderator: members.moderator, now: databaseTime })
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(rooms, eq(rooms.id, attachments.roomId))
    .innerJoin(users, eq(users.id, attachments.uploaderId))
    .leftJoin(
      objects,
      and(eq(objects.attachmentId, attachments.id), eq(objects.attempt, attachments.attempt), isNull(objects.purgeAt)),
    )
    .leftJoin(members, and(eq(members.roomId, attachments.roomId), eq(members.userId, sql.placeholder('userId'))))
    .where(and(eq(idOf[by], sql.placeholder('ref')), alive))
}

const oneById = prepared((db) => selectOne(db, 'id').prepare('attachment_by_id'))
const oneByPublicId = prepared((db) => selectOne(db, 'publicId').prepare('attachment_by_public_id'))

/** An attachment that is not deleted, what `userId` is in its room, and when: milliseconds since 1970 by the database's clock. */
export async function findAttachment(
  db: Database,
  ref: AttachmentRef,
  userId: number,
): Promise<{ attachment: FoundAttachment; standing: Standing; now: number } | undefined> {
  const [row] =
    'id' in ref
      ? await oneById(db).execute({ ref: ref.id, userId })
      : await oneByPublicId(db).execute({ ref: ref.publicId, userId })
  if (row === undefined) return undefined
  const standing = row.moderator === null ? null : row.moderator ? 'moderator' : 'member'
  return { attachment: { ...toRecord(row), objectKey: row.objectKey }, standing, now: row.now }
}

/** An attachment that is not deleted, whoever asks: for signed URLs, which carry their own permission. */
export async function findAttachmentForLink(
  db: Database,
  publicId: string,
): Promise<{ attachment: FoundAttachment; now: number } | undefined> {
  return findAttachment(db, { publicId }, nobody)
}

/** The id of no user. */
const nobody = 0

/** Every attachment of a message, in any state, oldest first. */
export async function listOfMessage(db: Database, messageId: number): Promise<AttachmentRecord[]> {
  const rows = await db
    .select(record)
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(rooms, eq(rooms.id, attachments.roomId))
    .innerJoin(users, eq(users.id, attachments.uploaderId))
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

/**
 * Ready attachments of the user's rooms, newest first: those next to the cursor, and whether there are more beyond. Each
 * room gives its own nearest, and the nearest of these are the page: so what a page costs depends on the user's rooms, not
 * on how many attachments there are.
 */
export async function listReadyPage(
  db: Database,
  page: PageRequest,
): Promise<{ page: AttachmentRecord[]; hasMore: boolean }> {
  const { userId, roomId, limit } = page
  const upwards = page.before !== undefined
  const nearest = nearestOfRoom(db, page)
  const rows = await db
    .select({ attachment: attachments, messagePublicId: nearest.messagePublicId })
    .from(members)
    .innerJoin(rooms, and(eq(rooms.id, members.roomId), isNull(rooms.deletedAt)))
    .crossJoinLateral(nearest)
    .innerJoin(attachments, eq(attachments.id, nearest.id))
    .where(and(eq(members.userId, userId), roomId === undefined ? undefined : eq(members.roomId, roomId)))
    .orderBy(upwards ? asc(attachments.id) : desc(attachments.id))
    .limit(limit + 1)
  const records = rows.slice(0, limit).map(toRecord)
  return { page: upwards ? records.reverse() : records, hasMore: rows.length > limit }
}

function nearestOfRoom(db: Database, { limit, after, before }: PageRequest) {
  const candidates = alias(attachments, 'candidates')
  const order = before === undefined ? desc(candidates.id) : asc(candidates.id)
  return db
    .select({ id: candidates.id, messagePublicId: messages.publicId })
    .from(candidates)
    .innerJoin(messages, and(eq(messages.id, candidates.messageId), isNull(messages.deletedAt)))
    .innerJoin(users, and(eq(users.id, candidates.uploaderId), isNull(users.deletedAt)))
    .where(
      and(
        eq(candidates.roomId, members.roomId),
        eq(candidates.state, quoted([readyState])),
        isNull(candidates.deletedAt),
        after === undefined ? undefined : lt(candidates.id, after),
        before === undefined ? undefined : gt(candidates.id, before),
      ),
    )
    .orderBy(order)
    .limit(limit + 1)
    .as('nearest')
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

/** Those of the attempts that are the latest of their attachment, in this state and not deleted, in the order given. */
export async function findInState(
  db: Database,
  attempts: readonly Attempt[],
  state: AttachmentState,
): Promise<Attachment[]> {
  const rows = await db.execute(sql`
    select a.* from rows from (
      jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as (id bigint, attempt integer)
    ) with ordinality as w(id, attempt, number)
    join attachments a on a.id = w.id and a.attempt = w.attempt
    where a.state = ${state} and a.deleted_at is null
    order by w.number`)
  return rowsOf(attachments, rows)
}

/** Gives an attachment another name, for which no link was ever made. @returns `undefined` when it was deleted meanwhile */
export async function renameAttachment(db: Database, id: number, fileName: string): Promise<Attachment | undefined> {
  const [row] = await db
    .update(attachments)
    .set({ fileName, linkVersion: sql`${attachments.linkVersion} + 1`, modifiedAt: sql`now()` })
    .where(and(eq(attachments.id, id), isNull(attachments.deletedAt)))
    .returning()
  return row
}

/** What a client may change of an attachment that stays in its state. */
export interface Changes {
  fileName?: string | undefined
  declaredChecksum?: string | undefined
}

/**
 * Changes an attachment that is still in the state and attempt it was seen in.
 * @returns `undefined` when it is elsewhere by now, or deleted
 */
export async function changeAttachment(
  db: Database,
  { id, state, attempt }: Pick<Attachment, 'id' | 'state' | 'attempt'>,
  changes: Changes,
): Promise<Attachment | undefined> {
  const isAsSeen = and(eq(attachments.id, id), eq(attachments.state, state), eq(attachments.attempt, attempt))
  const [row] = await db
    .update(attachments)
    .set({ ...changes, modifiedAt: sql`now()` })
    .where(and(isAsSeen, isNull(attachments.deletedAt)))
    .returning()
  return row
}
