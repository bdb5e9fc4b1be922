import { and, eq, isNull, sql } from 'drizzle-orm'
import { bury } from '../db/attachments.ts'
import type { Database } from '../db/client.ts'
import { newPublicId } from '../db/public-ids.ts'
import { members, rooms } from '../db/schema.ts'
import { StowageError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import { putUsers, type RoomIds } from './users.ts'

export interface RoomMembers {
  memberIds: readonly number[]
  /** Members too, named in `memberIds` or not. */
  moderatorIds: readonly number[]
}

/**
 * Makes a room known and sets who is in it, all of them; users named here become known too. Doing it again changes
 * nothing.
 * @throws StowageError `conflict` for a room or user that was deleted
 */
export async function putRoom(db: Database, id: number, { memberIds, moderatorIds }: RoomMembers): Promise<RoomIds> {
  await db.insert(rooms).values({ id, publicId: newPublicId() }).onConflictDoNothing()
  const [room] = await db.select().from(rooms).where(eq(rooms.id, id))
  if (!room || room.deletedAt !== null) throw new StowageError('conflict', `Room ${id} was deleted; take a new id.`)
  const userIds = [...new Set([...memberIds, ...moderatorIds])]
  await putUsers(db, userIds)
  const moderators = new Set(moderatorIds)
  const wanted = JSON.stringify(userIds.map((userId) => ({ userId, moderator: moderators.has(userId) })))
  // The room is locked first, or two of these at once could each wait for a member that the other is changing.
  await db.execute(sql`
    with room as (
      select id from rooms where id = ${id} and deleted_at is null for no key update
    ), wanted as (
      select * from jsonb_to_recordset(${wanted}::text::jsonb) as w("userId" bigint, moderator boolean)
    ), gone as (
      delete from members m using room where m.room_id = room.id and m.user_id not in (select "userId" from wanted)
    )
    insert into members (room_id, user_id, moderator) select room.id, "userId", moderator from room, wanted
    on conflict (room_id, user_id) do update set moderator = excluded.moderator`)
  return room
}

/** Puts a user into a room that is known, or changes whether they moderate it. @throws StowageError `not_found` */
export async function putMember(db: Database, roomId: number, userId: number, moderator: boolean): Promise<RoomIds> {
  const room = await findRoom(db, roomId)
  await putUsers(db, [userId])
  await db
    .insert(members)
    .values({ roomId, userId, moderator })
    .onConflictDoUpdate({ target: [members.roomId, members.userId], set: { moderator } })
  return room
}

/** Takes a user out of a room. Their uploads stay. @throws StowageError `not_found` when they are not in it */
export async function deleteMember(db: Database, roomId: number, userId: number): Promise<void> {
  await findRoom(db, roomId)
  const gone = await db
    .delete(members)
    .where(and(eq(members.roomId, roomId), eq(members.userId, userId)))
    .returning({ userId: members.userId })
  if (gone.length === 0) throw new StowageError('not_found', 'Member not found')
}

/** Deletes a room with the attachments of its messages. @throws StowageError `not_found` */
export async function deleteRoom(db: Database, id: number): Promise<void> {
  const managed = and(eq(rooms.id, id), isNull(rooms.ownerId))
  const [room] = await db.select({ id: rooms.id }).from(rooms).where(managed)
  if (!room) throw roomNotFound()
  const deleted = await db
    .update(rooms)
    .set({ deletedAt: sql`now()` })
    .where(and(managed, isNull(rooms.deletedAt)))
    .returning({ id: rooms.id })
  failpoint('after-hide')
  await bury(db, { roomId: id })
  if (deleted.length === 0) throw roomNotFound()
}

/** A room that the chat backend manages: users' own conversations are not among them. */
async function findRoom(db: Database, id: number): Promise<RoomIds> {
  const [room] = await db
    .select({ id: rooms.id, publicId: rooms.publicId })
    .from(rooms)
    .where(and(eq(rooms.id, id), isNull(rooms.deletedAt), isNull(rooms.ownerId)))
  if (!room) throw roomNotFound()
  return room
}

export function roomNotFound(): StowageError {
  return new StowageError('not_found', 'Room not found')
}
