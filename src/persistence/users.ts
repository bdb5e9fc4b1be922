import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { newPublicId } from '#domain/ids.ts'
import type { Database } from './connection/client.ts'
import { rooms } from './schema.ts'

/** A room with both its ids. */
export interface RoomIds {
  id: number
  publicId: string
}

/**
 * Inserts the users that are not known yet, each with a personal room, where uploads go that name no other: all of them or none.
 * @returns the id of a deleted user among them: then none is inserted
 */
export async function insertUsers(db: Database, ids: readonly number[]): Promise<number | undefined> {
  const [row] = await db.execute<{ refused: string | null }>(sql`
    with ${requestedUsers(ids.map((id) => ({ id })))},
    ${ensureUsers(sql`not exists (select from refused)`)}
    select (select id from refused) as refused`)
  return row?.refused == null ? undefined : Number(row.refused)
}

/** The user's personal room; `undefined` when the user is not known. */
export async function findPersonalRoom(db: Database, userId: number): Promise<RoomIds | undefined> {
  const [room] = await db
    .select({ id: rooms.id, publicId: rooms.publicId })
    .from(rooms)
    .where(eq(rooms.ownerId, userId))
  return room
}

/** The id of a deleted user's personal room, as long as its deletion is not finished. */
export async function findUnfinishedPersonalRoom(db: Database, userId: number): Promise<number | undefined> {
  const [room] = await db
    .select({ id: rooms.id })
    .from(rooms)
    .where(and(eq(rooms.ownerId, userId), isNull(rooms.buriedAt)))
  return room?.id
}

/** A user that a statement names. */
export interface RequestedUser {
  id: number
  moderator?: boolean
}

/**
 * The first parts of a statement that names users: `wanted` with their ids, and `refused` with the first of them that was
 * deleted. However many users there are, it is the same statement.
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
 * The parts that make the wanted users known, each with a conversation of their own, where uploads go that name no other.
 * All statements take rows in this order, of each table by id, so that no two can each wait for the other.
 * @param may when; otherwise nothing is made
 */
export function ensureUsers(may: SQL): SQL {
  return sql`
    made as (
      insert into users (id)
      select w.id from wanted w where ${may} and not exists (select from users u where u.id = w.id) order by w.id
      on conflict (id) do nothing
      returning id
    ), own as (
      insert into rooms (id, public_id, owner_id)
      select nextval('own_ids'), w."publicId", w.id from wanted w
      where ${may} and ${afterUsers} and not exists (select from rooms r where r.owner_id = w.id)
      order by w.id
      on conflict (owner_id) do nothing
      returning id, owner_id
    ), owners as (
      insert into members (room_id, user_id) select id, owner_id from own on conflict do nothing
    )`
}

/** A condition that is true and waits until all the users are made. */
export const afterUsers = sql`(select count(*) from made) >= 0`
