import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { newPublicId, type Ref } from '#domain/ids.ts'
import type { Database } from './connection/client.ts'
import { members, messages, rooms } from './schema.ts'
import { prepared, retryUntilVisible } from './statements.ts'
import { ensureUsers, requestedUsers } from './users.ts'

/** The result of a statement about a message. When something is wrong nothing is changed. */
export interface UpsertedMessage {
  /** The author's id, when the author was deleted. */
  deletedUser: number | undefined
  isDeleted: boolean
  hasRoom: boolean
  /** The room that the message is in. */
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

/** Inserts a message with its author, unless it is known. Doing it again changes nothing. */
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

/** One statement. Of two at once, the second neither adds the message nor sees it, and is asked again. */
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
    ), added as (
      insert into messages (id, public_id, room_id, author_id)
      select ${id}::bigint, ${newPublicId()}, room.id, ${authorId}::bigint from room
      where not exists (select from refused) and not exists (select from seen)
      on conflict (id) do nothing
      returning public_id, room_id, deleted_at
    ),
    ${ensureUsers(sql`exists (select from added)`)}
    select (select id from refused) as refused, exists (select from room) as has_room,
      message.public_id, message.room_id, message.deleted_at is not null as is_deleted
    from (select) always left join (select * from seen union all select * from added) message on true`)
  return row
}

/** Inserts a message of Stowage's own, for an upload that names none. @returns `undefined` when the room is gone */
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

/** The integer id of a message that is not deleted, for a member of its room. */
export async function findMessageOf(db: Database, ref: Ref, userId: number): Promise<number | undefined> {
  const [row] =
    'id' in ref
      ? await messageByItsId(db).execute({ ref: ref.id, userId })
      : await messageByPublicId(db).execute({ ref: ref.publicId, userId })
  return row?.id
}
