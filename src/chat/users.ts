import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { bury } from '../db/attachments.ts'
import type { Database } from '../db/client.ts'
import { newPublicId } from '../db/public-ids.ts'
import { members, rooms, users } from '../db/schema.ts'
import { StowageError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'

/** A room with both its ids. */
export interface RoomIds {
  id: number
  publicId: string
}

/**
 * Makes users known, each with a conversation of their own, where uploads go that name no other. Doing it again changes
 * nothing.
 * @throws StowageError `conflict` for one that was deleted: ids are not used twice
 */
export async function putUsers(db: Database, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return
  const wanted = JSON.stringify(ids.map((id) => ({ id, publicId: newPublicId() })))
  await db.execute(sql`
    insert into users (id) select w.id from jsonb_to_recordset(${wanted}::text::jsonb) as w(id bigint) order by w.id
    on conflict (id) do nothing`)
  const known = await db
    .select()
    .from(users)
    .where(inArray(users.id, [...ids]))
  const deleted = known.find((user) => user.deletedAt !== null)
  if (deleted) throw new StowageError('conflict', `User ${deleted.id} was deleted; take a new id.`)
  await db.execute(sql`
    insert into rooms (id, public_id, owner_id)
    select nextval('own_ids'), w."publicId", w.id
    from jsonb_to_recordset(${wanted}::text::jsonb) as w(id bigint, "publicId" text)
    where not exists (select from rooms r where r.owner_id = w.id)
    order by w.id
    on conflict (owner_id) do nothing`)
  await db.execute(sql`
    insert into members (room_id, user_id)
    select r.id, r.owner_id from rooms r
    join jsonb_to_recordset(${wanted}::text::jsonb) as w(id bigint) on r.owner_id = w.id
    on conflict do nothing`)
}

/** The user's own conversation. @throws StowageError `not_found` when the user is not known */
export async function ownConversation(db: Database, userId: number): Promise<RoomIds> {
  const [room] = await db
    .select({ id: rooms.id, publicId: rooms.publicId })
    .from(rooms)
    .where(eq(rooms.ownerId, userId))
  if (!room) throw new StowageError('not_found', 'User not found')
  return room
}

/**
 * Deletes a user: their credentials end, their uploads and their own conversation are deleted, they leave every room.
 * One statement after the other, none of which holds one lock while it waits for another, since uploads lock the room and
 * the uploader together.
 * @throws StowageError `not_found`
 */
export async function deleteUser(db: Database, id: number): Promise<void> {
  const deleted = await db
    .update(users)
    .set({ deletedAt: sql`now()` })
    .where(and(eq(users.id, id), isNull(users.deletedAt)))
    .returning({ id: users.id })
  failpoint('after-hide')
  const [own] = await db
    .update(rooms)
    .set({ deletedAt: sql`now()` })
    .where(eq(rooms.ownerId, id))
    .returning({ id: rooms.id })
  await db.delete(members).where(eq(members.userId, id))
  await bury(db, { uploaderId: id })
  if (own) await bury(db, { roomId: own.id })
  if (deleted.length === 0) throw new StowageError('not_found', 'User not found')
}
