import { type SQL, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import { newPublicId } from '#domain/ids.ts'

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

/** @throws StowageError `conflict` for a user that was deleted: ids are not used twice */
export function throwIfDeleted(refused: string | null | undefined): void {
  if (refused != null) throw new StowageError('conflict', `User ${refused} was deleted; take a new id.`)
}
