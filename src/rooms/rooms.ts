import { roomNotFound, StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { deleteMembership, type RoomMembers, upsertMember, upsertRoom } from '#persistence/rooms.ts'
import type { RoomIds } from '#persistence/users.ts'
import { throwIfDeleted } from './users.ts'

/**
 * Registers a room and replaces its members. Members that are unknown users are registered too. A repeated call changes
 * nothing, and neither does a call that fails.
 * @throws StowageError `conflict` for a deleted room or user
 */
export async function putRoom(db: Database, id: number, room: RoomMembers): Promise<RoomIds> {
  const { isDeleted, deletedUser, publicId } = await upsertRoom(db, id, room)
  if (isDeleted) throw new StowageError('conflict', `Room ${id} was deleted; take a new id.`)
  throwIfDeleted(deletedUser)
  return { id, publicId: publicId as string }
}

/**
 * Adds a user to a known room, or changes whether the user is a moderator. A call that fails changes nothing.
 * @throws StowageError `not_found` for an unknown room, `conflict` for a deleted user
 */
export async function putMember(db: Database, roomId: number, userId: number, moderator: boolean): Promise<RoomIds> {
  const { deletedUser, publicId } = await upsertMember(db, roomId, userId, moderator)
  if (publicId === undefined) throw roomNotFound()
  throwIfDeleted(deletedUser)
  return { id: roomId, publicId }
}

/** Removes a user from a room. The uploads of the user stay. @throws StowageError `not_found` for an unknown room or member */
export async function deleteMember(db: Database, roomId: number, userId: number): Promise<void> {
  const { hasRoom, wasMember } = await deleteMembership(db, roomId, userId)
  if (!hasRoom) throw roomNotFound()
  if (!wasMember) throw new StowageError('not_found', 'Member not found')
}
