import { and, eq, isNull, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import { newPublicId } from '#domain/ids.ts'
import { failpoint } from '#failpoints.ts'
import type { Database } from '#persistence/connection/client.ts'
import { softDeleteContents } from '#persistence/deletion.ts'
import { rooms } from '#persistence/schema.ts'
import { retryUntilVisible } from './again.ts'
import { afterUsers, ensureUsers, requestedUsers, throwIfDeleted } from './known-users.ts'
import { batchesAtOnce, type RoomIds } from './users.ts'

export interface RoomMembers {
  memberIds: readonly number[]
  /** Members too, named in `memberIds` or not. */
  moderatorIds: readonly number[]
}

interface RoomRow extends Record<string, unknown> {
  refused: string | null
  is_deleted: boolean | null
  public_id: string | null
}

/**
 * Makes a room known and sets who is in it, all of them; users named here become known too. Doing it again changes
 * nothing. When something is wrong nothing is changed.
 * @throws StowageError `conflict` for a room or user that was deleted
 */
export async function putRoom(db: Database, id: number, room: RoomMembers): Promise<RoomIds> {
  const publicId = await retryUntilVisible(async () => {
    const row = await putRoomOnce(db, id, room)
    if (row?.is_deleted) throw new StowageError('conflict', `Room ${id} was deleted; take a new id.`)
    throwIfDeleted(row?.refused)
    return row?.public_id ?? undefined
  })
  return { id, publicId }
}

/**
 * One statement. The room's row is locked first and written each time: of two at once, the second finds it changed, does
 * nothing and is asked again, since it cannot see the members that the first has added.
 */
async function putRoomOnce(
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
    gone as (
      delete from members m using room
      where m.room_id = room.id and not exists (select from wanted w where w.id = m.user_id)
    ), present as (
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
 * Puts a user into a room that is known, or changes whether they moderate it, in one statement; when something is wrong
 * nothing is changed.
 * @throws StowageError `not_found`, and `conflict` for a user that was deleted
 */
export async function putMember(db: Database, roomId: number, userId: number, moderator: boolean): Promise<RoomIds> {
  const [row] = await db.execute<{ refused: string | null; public_id: string | null }>(sql`
    with ${requestedUsers([{ id: userId, moderator }])},
    room as materialized (
      select id, public_id from rooms
      where id = ${roomId} and deleted_at is null and owner_id is null for key share
    ),
    ${ensureUsers(sql`exists (select from room) and not exists (select from refused)`)},
    present as (
      insert into members (room_id, user_id, moderator)
      select room.id, w.id, w.moderator from room, wanted w
      where ${afterUsers} and not exists (select from refused)
      on conflict (room_id, user_id) do update set moderator = excluded.moderator
    )
    select (select id from refused) as refused, (select public_id from room) as public_id`)
  if (row == null || row.public_id === null) throw roomNotFound()
  throwIfDeleted(row.refused)
  return { id: roomId, publicId: row.public_id }
}

/** Takes a user out of a room, in one statement. Their uploads stay. @throws StowageError `not_found` when they are not in it */
export async function deleteMember(db: Database, roomId: number, userId: number): Promise<void> {
  const [row] = await db.execute<{ has_room: boolean; was_member: boolean }>(sql`
    with room as (
      select id from rooms where id = ${roomId} and deleted_at is null and owner_id is null
    ), gone as (
      delete from members m using room where m.room_id = room.id and m.user_id = ${userId}
      returning m.user_id
    )
    select exists (select from room) as has_room, exists (select from gone) as was_member`)
  if (!row?.has_room) throw roomNotFound()
  if (!row.was_member) throw new StowageError('not_found', 'Member not found')
}

/**
 * Deletes a room: hidden at once with the attachments of its messages, which are then buried; what is too much to wait for
 * is left to the workers.
 * @returns whether nothing is left to them
 * @throws StowageError `not_found`
 */
export async function deleteRoom(db: Database, id: number): Promise<boolean> {
  // Users' own conversations are not managed by the chat backend.
  const managed = and(eq(rooms.id, id), isNull(rooms.ownerId))
  const [room] = await db.select({ id: rooms.id }).from(rooms).where(managed)
  if (!room) throw roomNotFound()
  const deleted = await db
    .update(rooms)
    .set({ deletedAt: sql`now()` })
    .where(and(managed, isNull(rooms.deletedAt)))
    .returning({ id: rooms.id })
  failpoint('after-hide')
  const { isFinished } = await softDeleteContents(db, 'rooms', id, batchesAtOnce)
  if (deleted.length === 0) throw roomNotFound()
  return isFinished
}

export function roomNotFound(): StowageError {
  return new StowageError('not_found', 'Room not found')
}
