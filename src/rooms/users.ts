import { and, eq, isNull, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import { failpoint } from '#failpoints.ts'
import type { Database } from '#persistence/connection/client.ts'
import { softDeleteContents } from '#persistence/deletion.ts'
import { rooms, users } from '#persistence/schema.ts'
import { ensureUsers, requestedUsers, throwIfDeleted } from './known-users.ts'

/** A room with both its ids. */
export interface RoomIds {
  id: number
  publicId: string
}

/** Batches that the request for a deletion buries itself; the workers do the rest. */
export const batchesAtOnce = 2

/**
 * Makes users known, each with a conversation of their own, where uploads go that name no other: all of them or none. Doing
 * it again changes nothing.
 * @throws StowageError `conflict` for one that was deleted: ids are not used twice
 */
export async function putUsers(db: Database, ids: readonly number[]): Promise<void> {
  const [row] = await db.execute<{ refused: string | null }>(sql`
    with ${requestedUsers(ids.map((id) => ({ id })))},
    ${ensureUsers(sql`not exists (select from refused)`)}
    select (select id from refused) as refused`)
  throwIfDeleted(row?.refused)
}

/** The user's own conversation. @throws StowageError `not_found` when the user is not known */
export async function personalRoom(db: Database, userId: number): Promise<RoomIds> {
  const [room] = await db
    .select({ id: rooms.id, publicId: rooms.publicId })
    .from(rooms)
    .where(eq(rooms.ownerId, userId))
  if (!room) throw new StowageError('not_found', 'User not found')
  return room
}

/**
 * Deletes a user: hidden at once with their uploads and credentials. The uploads and their own conversation are then buried,
 * and they leave every room; what is too much to wait for is left to the workers.
 * @returns whether nothing is left to them
 * @throws StowageError `not_found`
 */
export async function deleteUser(db: Database, id: number): Promise<boolean> {
  const deleted = await db
    .update(users)
    .set({ deletedAt: sql`now()` })
    .where(and(eq(users.id, id), isNull(users.deletedAt)))
    .returning({ id: users.id })
  failpoint('after-hide')
  const { isFinished } = await softDeleteContents(db, 'users', id, batchesAtOnce)
  const [own] = await db
    .select({ id: rooms.id })
    .from(rooms)
    .where(and(eq(rooms.ownerId, id), isNull(rooms.buriedAt)))
  const isEmpty = own === undefined || (await softDeleteContents(db, 'rooms', own.id, batchesAtOnce)).isFinished
  if (deleted.length === 0) throw new StowageError('not_found', 'User not found')
  return isFinished && isEmpty
}
