import { roomNotFound, StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { deleteMembership, type RoomMembers, upsertMember, upsertRoom } from '#persistence/rooms.ts'
import type { RoomIds } from '#persistence/users.ts'
import { throwIfDeleted } from './users.ts'

/**
 * Makes a room known and sets its members, all of them; users named here become known too. Doing it again changes
 * nothing. When something is wrong nothing is changed.
 * @throws StowageError `conflict` for a room or user that was deleted
 */
export async function putRoom(db: Database, id: number, room: RoomMembers): Promise<RoomIds> {
  const { isDeleted, deletedUser, publicId } = await upsertRoom(db, id, room)
  if (isDeleted) throw new StowageError('conflict', `Room ${id} was deleted; take a new id.`)
  throwIfDeleted(deletedUser)
  return { id, publicId: publicId as string }
}

/**
 * Puts a user into a room that is known, or changes whether they moderate it. When something is wrong nothing is changed.
 * @throws StowageError `not_found`, and `conflict` for a user that was deleted
 */
export async function putMember(db: Database, roomId: number, userId: number, moderator: boolean): Promise<RoomIds> {
  const { deletedUser, publicId } = await upsertMember(db, roomId, userId, moderator)
  if (publicId === undefined) throw roomNotFound()
  throwIfDeleted(deletedUser)
  return { id: roomId, publicId }
}

/** Takes a user out of a room. Their uploads stay. @throws StowageError `not_found` when they are not in it */
export async function deleteMember(db: Database, roomId: number, userId: number): Promise<void> {
  const { hasRoom, wasMember } = await deleteMembership(db, roomId, userId)
  if (!hasRoom) throw roomNotFound()
  if (!wasMember) throw new StowageError('not_found', 'Member not found')
}
