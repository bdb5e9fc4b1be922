import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { newPublicId } from '#domain/ids.ts'
import type { Database } from '#persistence/connection/client.ts'
import { rooms } from './schema.ts'

/** A room with both its ids. */
export interface RoomIds {
  id: number
  publicId: string
}

/**
 * Inserts the unknown users, all or none, each with a personal room for uploads that name no room.
 * @returns the id of a deleted user among them, in which case no user is inserted
 */
export async function insertUsers(db: Database, ids: readonly number[]): Promise<number | undefined> {
  const [row] = await db.execute<{ refused: string | null }>(sql`
    with ${requestedUsers(ids.map((id) => ({ id })))},
    ${ensureUsers(sql`not exists (select from refused)`)}
    select (select id from refused) as refused`)
  return row?.refused == null ? undefined : Number(row.refused)
}

/** The user's personal room; `undefined` for an unknown user. */
export async function findPersonalRoom(db: Database, userId: number): Promise<RoomIds | undefined> {
  const [room] = await db
    .select({ id: rooms.id, publicId: rooms.publicId })
    .from(rooms)
    .where(eq(rooms.ownerId, userId))
  return room
}

/** The id of a deleted user's personal room, while the deletion of the room is unfinished. */
export async function findUnfinishedPersonalRoom(db: Database, userId: number): Promise<number | undefined> {
  const [room] = await db
    .select({ id: rooms.id })
    .from(rooms)
    .where(and(eq(rooms.ownerId, userId), isNull(rooms.deletionFinishedAt)))
  return room?.id
}

/** A user named in a statement. */
export interface RequestedUser {
  id: number
  moderator?: boolean
}

/**
 * The first CTEs of a statement that names users: `wanted` with the users, and `refused` with the first deleted user.
 * The text of the statement does not depend on the number of users.
 */
export function requestedUsers(users: readonly RequestedUser[]): SQL {
  const wanted = users.map(({ id, moderator = false }) => ({ id, moderator, publicId: newPublicId() }))
  return sql`
    wanted as materialized (
      select * from jsonb_to_recordset(${JSON.stringify(wanted)}::text::jsonb)
        as w(id bigint, moderator boolean, "publicId" text)
    ), refused as materialized (
      select u.id from wanted w join users u on u.id = w.id where u.deleted_at is not null order by u.id limit 1
    )`
}

/**
 * The CTEs that insert the unknown users of `wanted`, each with a personal room for uploads that name no room. All
 * statements lock the tables in this order, and the rows of a table by id, to prevent deadlocks.
 * @param condition when false, no row is inserted
 */
export function ensureUsers(condition: SQL): SQL {
  return sql`
    inserted_users as (
      insert into users (id)
      select w.id from wanted w where ${condition} and not exists (select from users u where u.id = w.id) order by w.id
      on conflict (id) do nothing
      returning id
    ), personal_rooms as (
      insert into rooms (id, public_id, owner_id)
      select nextval('own_ids'), w."publicId", w.id from wanted w
      where ${condition} and ${afterUsers} and not exists (select from rooms r where r.owner_id = w.id)
      order by w.id
      on conflict (owner_id) do nothing
      returning id, owner_id
    ), owner_memberships as (
      insert into members (room_id, user_id) select id, owner_id from personal_rooms on conflict do nothing
    )`
}

/** A condition that is always true and waits for the insertion of all users. */
export const afterUsers = sql`(select count(*) from inserted_users) >= 0`
