import { and, eq, isNull, sql } from 'drizzle-orm'
import { newPublicId, type Ref } from '#domain/ids.ts'
import type { Database } from '#persistence/connection/client.ts'
import { members as membersTable, rooms } from './schema.ts'
import { retryUntilVisible } from './statements.ts'
import { afterUsers, ensureUsers, requestedUsers } from './users.ts'

export interface RoomMembers {
  memberIds: readonly number[]
  /** Moderators are members, whether or not in `memberIds`. */
  moderatorIds: readonly number[]
}

/** The result of a statement on a room. On a problem no row is changed. */
export interface UpsertedRoom {
  /** The id of a deleted user among the members. */
  deletedUser: number | undefined
  isDeleted: boolean
  publicId: string | undefined
}

interface RoomRow extends Record<string, unknown> {
  refused: string | null
  is_deleted: boolean | null
  public_id: string | null
}

/** Inserts a room, or replaces all members of an existing room. Inserts unknown users. The operation is idempotent. */
export function upsertRoom(db: Database, id: number, room: RoomMembers): Promise<UpsertedRoom> {
  return retryUntilVisible(async () => {
    const row = await upsertRoomOnce(db, id, room)
    const isDeleted = row?.is_deleted === true
    const deletedUser = row?.refused == null ? undefined : Number(row.refused)
    if (!isDeleted && deletedUser === undefined && row?.public_id == null) return undefined
    return { isDeleted, deletedUser, publicId: row?.public_id ?? undefined }
  })
}

/**
 * One statement, which locks and writes the room's row first. The second of two concurrent statements finds the row
 * changed, changes no row and is repeated, because it cannot see the members that the first one inserted.
 */
async function upsertRoomOnce(
  db: Database,
  id: number,
  { memberIds, moderatorIds }: RoomMembers,
): Promise<RoomRow | undefined> {
  const moderators = new Set(moderatorIds)
  const userIds = [...new Set([...memberIds, ...moderatorIds])]
  const members = userIds.map((userId) => ({ id: userId, moderator: moderators.has(userId) }))
  const [row] = await db.execute<RoomRow>(sql`
    with ${requestedUsers(members)},
    seen as materialized (
      select xmin as version, deleted_at from rooms where id = ${id}
    ), room as (
      insert into rooms (id, public_id) select ${id}::bigint, ${newPublicId()} where not exists (select from refused)
      on conflict (id) do update set public_id = rooms.public_id
        where rooms.deleted_at is null and rooms.xmin = (select version from seen)
      returning id, public_id
    ),
    ${ensureUsers(sql`exists (select from room)`)},
    removed as (
      delete from members m using room
      where m.room_id = room.id and not exists (select from wanted w where w.id = m.user_id)
    ), upserted as (
      insert into members (room_id, user_id, moderator)
      select room.id, w.id, w.moderator from room, wanted w
      where ${afterUsers} and not exists (
        select from members m where m.room_id = room.id and m.user_id = w.id and m.moderator = w.moderator
      )
      order by w.id
      on conflict (room_id, user_id) do update set moderator = excluded.moderator
    )
    select (select id from refused) as refused, (select deleted_at is not null from seen) as is_deleted,
      (select public_id from room) as public_id`)
  return row
}

/**
 * Inserts a member of an existing managed room, or changes the member's role, in one statement. The chat backend manages
 * all rooms except personal rooms.
 * @returns `publicId` is `undefined` when no such room exists
 */
export async function upsertMember(
  db: Database,
  roomId: number,
  userId: number,
  moderator: boolean,
): Promise<Omit<UpsertedRoom, 'isDeleted'>> {
  const [row] = await db.execute<{ refused: string | null; public_id: string | null }>(sql`
    with ${requestedUsers([{ id: userId, moderator }])},
    room as materialized (
      select id, public_id from rooms
      where id = ${roomId} and deleted_at is null and owner_id is null for key share
    ),
    ${ensureUsers(sql`exists (select from room) and not exists (select from refused)`)},
    upserted as (
      insert into members (room_id, user_id, moderator)
      select room.id, w.id, w.moderator from room, wanted w
      where ${afterUsers} and not exists (select from refused)
      on conflict (room_id, user_id) do update set moderator = excluded.moderator
    )
    select (select id from refused) as refused, (select public_id from room) as public_id`)
  const deletedUser = row?.refused == null ? undefined : Number(row.refused)
  return { deletedUser, publicId: row?.public_id ?? undefined }
}

/** Deletes a membership, in one statement. */
export async function deleteMembership(
  db: Database,
  roomId: number,
  userId: number,
): Promise<{ hasRoom: boolean; wasMember: boolean }> {
  const [row] = await db.execute<{ has_room: boolean; was_member: boolean }>(sql`
    with room as (
      select id from rooms where id = ${roomId} and deleted_at is null and owner_id is null
    ), removed as (
      delete from members m using room where m.room_id = room.id and m.user_id = ${userId}
      returning m.user_id
    )
    select exists (select from room) as has_room, exists (select from removed) as was_member`)
  return { hasRoom: row?.has_room === true, wasMember: row?.was_member === true }
}

/** Whether a room exists that the chat backend manages, deleted or not. Personal rooms are not managed. */
export async function isManagedRoom(db: Database, id: number): Promise<boolean> {
  const [room] = await db
    .select({ id: rooms.id })
    .from(rooms)
    .where(and(eq(rooms.id, id), isNull(rooms.ownerId)))
  return room !== undefined
}

/** The integer id of a room that is not deleted, for a member of it. */
export async function findRoomOf(db: Database, ref: Ref, userId: number): Promise<number | undefined> {
  const [row] = await db
    .select({ id: rooms.id })
    .from(rooms)
    .innerJoin(membersTable, and(eq(membersTable.roomId, rooms.id), eq(membersTable.userId, userId)))
    .where(and('id' in ref ? eq(rooms.id, ref.id) : eq(rooms.publicId, ref.publicId), isNull(rooms.deletedAt)))
  return row?.id
}
