import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { newPublicId, type Ref } from '#domain/ids.ts'
import type { Database } from '#persistence/connection/client.ts'
import { members, messages, rooms } from './schema.ts'
import { prepared, retryUntilVisible } from './statements.ts'
import { ensureUsers, requestedUsers } from './users.ts'

/** The result of a statement on a message. On a problem no row is changed. */
export interface UpsertedMessage {
  /** The author's id, when the author is deleted. */
  deletedUser: number | undefined
  isDeleted: boolean
  hasRoom: boolean
  /** The room of the message. */
  roomId: number | undefined
  publicId: string | undefined
}

interface MessageRow extends Record<string, unknown> {
  refused: string | null
  has_room: boolean
  public_id: string | null
  room_id: string | null
  is_deleted: boolean | null
}

/** Inserts a message with its author, unless the message exists. The operation is idempotent. */
export function upsertMessage(db: Database, id: number, roomId: number, authorId: number): Promise<UpsertedMessage> {
  return retryUntilVisible(async () => {
    const row = await upsertMessageOnce(db, id, roomId, authorId)
    const deletedUser = row?.refused == null ? undefined : Number(row.refused)
    const hasRoom = row?.has_room === true
    if (deletedUser === undefined && hasRoom && row?.public_id == null) return undefined
    return {
      deletedUser,
      isDeleted: row?.is_deleted === true,
      hasRoom,
      roomId: row?.room_id == null ? undefined : Number(row.room_id),
      publicId: row?.public_id ?? undefined,
    }
  })
}

/** One statement. The second of two concurrent statements neither inserts the message nor sees it, and is repeated. */
async function upsertMessageOnce(
  db: Database,
  id: number,
  roomId: number,
  authorId: number,
): Promise<MessageRow | undefined> {
  const [row] = await db.execute<MessageRow>(sql`
    with ${requestedUsers([{ id: authorId }])},
    room as materialized (
      select id from rooms where id = ${roomId} and deleted_at is null for share
    ), seen as materialized (
      select public_id, room_id, deleted_at from messages where id = ${id}
    ), inserted as (
      insert into messages (id, public_id, room_id, author_id)
      select ${id}::bigint, ${newPublicId()}, room.id, ${authorId}::bigint from room
      where not exists (select from refused) and not exists (select from seen)
      on conflict (id) do nothing
      returning public_id, room_id, deleted_at
    ),
    ${ensureUsers(sql`exists (select from inserted)`)}
    select (select id from refused) as refused, exists (select from room) as has_room,
      message.public_id, message.room_id, message.deleted_at is not null as is_deleted
    from (select) always left join (select * from seen union all select * from inserted) message on true`)
  return row
}

/** Inserts an internal message, for an upload that names no message. @returns `undefined` when the room is deleted */
export async function insertInternalMessage(
  db: Database,
  roomId: number,
  authorId: number,
): Promise<number | undefined> {
  const [row] = await db.execute<{ id: string }>(sql`
    insert into messages (id, public_id, room_id, author_id)
    select nextval('own_ids'), ${newPublicId()}, r.id, ${authorId}::bigint from rooms r
    where r.id = ${roomId} and r.deleted_at is null for share
    returning id`)
  return row && Number(row.id)
}

const messageById = prepared((db) => selectMessage(db, eq(messages.id, sql.placeholder('ref'))).prepare('own_message'))
const messageByPublicId = prepared((db) =>
  selectMessage(db, eq(messages.publicId, sql.placeholder('ref'))).prepare('own_message_by_public_id'),
)

function selectMessage(db: Database, condition: SQL) {
  return db
    .select({ id: messages.id })
    .from(messages)
    .innerJoin(rooms, eq(rooms.id, messages.roomId))
    .innerJoin(members, and(eq(members.roomId, rooms.id), eq(members.userId, sql.placeholder('userId'))))
    .where(and(condition, isNull(messages.deletedAt), isNull(rooms.deletedAt)))
}

/** The integer id of a message that is not deleted, for a member of its room. */
export async function findMessageOf(db: Database, ref: Ref, userId: number): Promise<number | undefined> {
  const [row] =
    'id' in ref
      ? await messageById(db).execute({ ref: ref.id, userId })
      : await messageByPublicId(db).execute({ ref: ref.publicId, userId })
  return row?.id
}
