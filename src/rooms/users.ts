import { StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { findPersonalRoom, insertUsers, type RoomIds } from '#persistence/users.ts'

/**
 * Makes users known, each with a personal room, where uploads go that name no other: all of them or none. Doing it again changes
 * nothing.
 * @throws StowageError `conflict` for a user that was deleted: ids are not used twice
 */
export async function putUsers(db: Database, ids: readonly number[]): Promise<void> {
  throwIfDeleted(await insertUsers(db, ids))
}

/** The user's personal room. @throws StowageError `not_found` when the user is not known */
export async function personalRoom(db: Database, userId: number): Promise<RoomIds> {
  const room = await findPersonalRoom(db, userId)
  if (!room) throw new StowageError('not_found', 'User not found')
  return room
}

/** @throws StowageError `conflict` for a user that was deleted */
export function throwIfDeleted(userId: number | undefined): void {
  if (userId !== undefined) throw new StowageError('conflict', `User ${userId} was deleted; take a new id.`)
}
