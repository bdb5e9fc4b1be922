import { StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { findPersonalRoom, insertUsers, type RoomIds } from '#persistence/users.ts'

/**
 * Registers users, all of them or none. Each user gets a personal room, which receives uploads that name no other room. A
 * repeated call changes nothing.
 * @throws StowageError `conflict` for a deleted user, because ids are never reused
 */
export async function putUsers(db: Database, ids: readonly number[]): Promise<void> {
  throwIfDeleted(await insertUsers(db, ids))
}

/** The user's personal room. @throws StowageError `not_found` for an unknown user */
export async function personalRoom(db: Database, userId: number): Promise<RoomIds> {
  const room = await findPersonalRoom(db, userId)
  if (!room) throw new StowageError('not_found', 'User not found')
  return room
}

/** @throws StowageError `conflict` for a deleted user */
export function throwIfDeleted(userId: number | undefined): void {
  if (userId !== undefined) throw new StowageError('conflict', `User ${userId} was deleted; take a new id.`)
}
