import { and, asc, desc, eq, gt, isNull, sql } from 'drizzle-orm'
import type { Ref } from '#domain/ids.ts'
import { limits } from '#domain/limits.ts'
import { readyState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { type Attachment, attachments, members, messages, objects, rooms, transitions, users } from './schema.ts'
import type { ScrubCounts } from './scrub.ts'
import { databaseTime, prepared, rowsOf, stateLiterals } from './statements.ts'

/** An attachment with the string id of its message. */
export interface AttachmentRecord extends Attachment {
  messagePublicId: string
}

/** A user's role in the attachment's room; `null` for a user who is not a member. */
export type RoomRole = 'member' | 'moderator' | null

const record = { attachment: attachments, messagePublicId: messages.publicId }
const toRecord = ({ attachment, messagePublicId }: { attachment: Attachment; messagePublicId: string }) => ({
  ...attachment,
  messagePublicId,
})

/** True for attachments that no deletion has hidden. A deletion of a parent marks the attachments later, in batches. */
const isNotDeleted = and(
  isNull(attachments.deletedAt),
  isNull(messages.deletedAt),
  isNull(rooms.deletedAt),
  isNull(users.deletedAt),
)

/** One attachment with its object key. */
export interface FoundAttachment extends AttachmentRecord {
  /** The object key of the latest attempt; `null` before the first attempt, and once the object is scheduled for purge. */
  objectKey: string | null
}

const idColumns = { id: attachments.id, publicId: attachments.publicId }

function selectOne(db: Database, by: keyof typeof idColumns) {
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
    .where(and(eq(idColumns[by], sql.placeholder('ref')), isNotDeleted))
}

const oneById = prepared((db) => selectOne(db, 'id').prepare('attachment_by_id'))
const oneByPublicId = prepared((db) => selectOne(db, 'publicId').prepare('attachment_by_public_id'))

/** An attachment that is not deleted, the user's role in its room, and the database's time in milliseconds since 1970. */
export async function findAttachment(
  db: Database,
  ref: Ref,
  userId: number,
): Promise<{ attachment: FoundAttachment; role: RoomRole; now: number } | undefined> {
  const [row] =
    'id' in ref
      ? await oneById(db).execute({ ref: ref.id, userId })
      : await oneByPublicId(db).execute({ ref: ref.publicId, userId })
  if (row === undefined) return undefined
  const role = row.moderator === null ? null : row.moderator ? 'moderator' : 'member'
  return { attachment: { ...toRecord(row), objectKey: row.objectKey }, role, now: row.now }
}

/** An attachment that is not deleted, for a signed URL, which carries its own permission. */
export async function findAttachmentForLink(
  db: Database,
  publicId: string,
): Promise<{ attachment: FoundAttachment; now: number } | undefined> {
  return findAttachment(db, { publicId }, nobody)
}

/** The id of no user. */
const nobody = 0

/**
 * A page of the attachments of a message, in any state, oldest first.
 * @param after the page starts after this id; 0 for the first page
 */
export async function listOfMessage(
  db: Database,
  messageId: number,
  { after, limit }: { after: number; limit: number },
): Promise<{ page: AttachmentRecord[]; hasMore: boolean }> {
  const rows = await db
    .select(record)
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(rooms, eq(rooms.id, attachments.roomId))
    .innerJoin(users, eq(users.id, attachments.uploaderId))
    .where(and(eq(attachments.messageId, messageId), gt(attachments.id, after), isNotDeleted))
    // `deleted_at` is null in every row. The order is that of the index, in which deleted attachments come last.
    .orderBy(asc(attachments.deletedAt), asc(attachments.id))
    .limit(limit + 1)
  return { page: rows.slice(0, limit).map(toRecord), hasMore: rows.length > limit }
}

export interface PageRequest {
  userId: number
  /** Only this room. */
  roomId?: number | undefined
  limit: number
  /** The page has positions below this one. */
  after?: number | undefined
  /** The page has positions above this one. */
  before?: number | undefined
}

/** The position of a Ready attachment `a` in lists. */
const position = sql`coalesce(a.ready_position, a.id)`

/**
 * Ready attachments of the user's rooms, in the order of becoming Ready, latest first. The page is next to the cursor. The
 * nearest attachment of each room is looked up first, and the page is read from the rooms whose nearest attachments come
 * first. The cost of a page depends on the number of the user's rooms, a few microseconds for each, and not on the number
 * of attachments. `offset 0` makes Postgres look up the user's rooms instead of reading all rooms.
 */
export async function listReadyPage(
  db: Database,
  { userId, roomId, limit, after, before }: PageRequest,
): Promise<{ page: AttachmentRecord[]; hasMore: boolean }> {
  const isAscending = before !== undefined
  const order = isAscending ? sql`asc` : sql`desc`
  const most = limit + 1
  const bounds = [
    ...(after === undefined ? [] : [sql`and ${position} < ${after}`]),
    ...(before === undefined ? [] : [sql`and ${position} > ${before}`]),
  ]
  const nearest = (count: number) => sql`
    select a.*, ${position} as position, m.public_id as message_public_id
    from attachments a
      join messages m on m.id = a.message_id and m.deleted_at is null
      join users u on u.id = a.uploader_id and u.deleted_at is null
    where a.room_id = r.id and a.state = ${stateLiterals([readyState])} and a.deleted_at is null ${sql.join(bounds, sql` `)}
    order by position ${order} limit ${count}`
  const rows = await db.execute<{ message_public_id: string }>(sql`
    with nearest_rooms as (
      select r.id from members i
        cross join lateral (select id from rooms where id = i.room_id and deleted_at is null offset 0) as r
        cross join lateral (${nearest(1)}) as first
      where i.user_id = ${userId} ${roomId === undefined ? sql`` : sql`and i.room_id = ${roomId}`}
      order by first.position ${order} limit ${most}
    )
    select found.* from nearest_rooms r cross join lateral (${nearest(most)}) as found
    order by found.position ${order} limit ${most}`)
  const records = rowsOf(attachments, rows).map((row, index) => ({
    ...row,
    messagePublicId: String(rows[index]?.message_public_id),
  }))
  const page = records.slice(0, limit)
  return { page: isAscending ? page.reverse() : page, hasMore: records.length > limit }
}

/**
 * The position of a cursor, which is the id of a Ready attachment. The id of a deleted attachment is a cursor while its row
 * is kept. The id of an attachment in a room without the user is not a cursor.
 */
export async function findCursor(db: Database, publicId: string, userId: number): Promise<number | undefined> {
  const [row] = await db.execute<{ position: string }>(sql`
    select ${position} as position from attachments a
    join members i on i.room_id = a.room_id and i.user_id = ${userId}
    where a.public_id = ${publicId} and a.state = ${stateLiterals([readyState])}`)
  return row && Number(row.position)
}

export type TransitionRecord = typeof transitions.$inferSelect

/** The latest history steps of an attachment, oldest first. */
export async function listTransitions(
  db: Database,
  attachmentId: number,
  limit: number = limits.transitionsPage,
): Promise<TransitionRecord[]> {
  const rows = await db
    .select()
    .from(transitions)
    .where(eq(transitions.attachmentId, attachmentId))
    .orderBy(desc(transitions.id))
    .limit(limit)
  return rows.reverse()
}

/** The state of the scrub, for the metrics. */
export interface ScrubState {
  /** Objects in use that were damaged when last read. */
  damaged: number
  /** The last complete scrub. */
  last: { endedAt: Date; counts: ScrubCounts } | undefined
}

export async function readScrubState(db: Database): Promise<ScrubState> {
  const [row] = await db.execute<Record<keyof ScrubCounts | 'damage' | 'ended', string | null>>(sql`
    select (select count(*) from objects where damage is not null and purge_at is null) as damage,
      extract(epoch from ended_at) as ended, whole, damaged, missing, orphaned
    from (select) as always left join (select * from scrubs order by id desc limit 1) as latest on true`)
  const { damage, ended, ...counts } = row as NonNullable<typeof row>
  if (ended === null) return { damaged: Number(damage), last: undefined }
  const endedAt = new Date(Math.round(Number(ended) * 1000))
  const numbers = Object.fromEntries(Object.entries(counts).map(([result, count]) => [result, Number(count)]))
  return { damaged: Number(damage), last: { endedAt, counts: numbers as ScrubCounts } }
}
