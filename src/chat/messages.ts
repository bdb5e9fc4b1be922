import { and, eq, isNull, sql } from 'drizzle-orm'
import { messageNotFound } from '../access/membership.ts'
import { bury } from '../db/attachments.ts'
import type { Database } from '../db/client.ts'
import { newPublicId } from '../db/public-ids.ts'
import { messages, rooms } from '../db/schema.ts'
import { StowageError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import { roomNotFound } from './rooms.ts'
import { putUsers } from './users.ts'

/** A message with both its ids. */
export interface MessageIds {
  id: number
  publicId: string
}

/**
 * Makes a message known. Doing it again changes nothing.
 * @throws StowageError `not_found` when the room is not known, `conflict` when the message was deleted or lies in another room
 */
export async function putMessage(
  db: Database,
  id: number,
  { roomId, authorId }: { roomId: number; authorId: number },
): Promise<MessageIds> {
  await putUsers(db, [authorId])
  await db.execute(sql`
    insert into messages (id, public_id, room_id, author_id)
    select ${id}::bigint, ${newPublicId()}, r.id, ${authorId}::bigint from rooms r
    where r.id = ${roomId} and r.deleted_at is null for share
    on conflict (id) do nothing`)
  const [found] = await db
    .select({ message: messages, roomDeletedAt: rooms.deletedAt })
    .from(messages)
    .innerJoin(rooms, eq(rooms.id, messages.roomId))
    .where(eq(messages.id, id))
  if (!found) throw roomNotFound()
  const { message, roomDeletedAt } = found
  if (message.deletedAt !== null) throw new StowageError('conflict', `Message ${id} was deleted; take a new id.`)
  if (message.roomId !== roomId)
    throw new StowageError('conflict', `Message ${id} lies in another room and stays there.`)
  if (roomDeletedAt !== null) throw roomNotFound()
  return message
}

/** A new message of Stowage's own, for an upload that names none. @returns `undefined` when the room is gone */
export async function addOwnMessage(db: Database, roomId: number, authorId: number): Promise<number | undefined> {
  const [row] = await db.execute<{ id: string }>(sql`
    insert into messages (id, public_id, room_id, author_id)
    select nextval('own_ids'), ${newPublicId()}, r.id, ${authorId}::bigint from rooms r
    where r.id = ${roomId} and r.deleted_at is null for share
    returning id`)
  return row && Number(row.id)
}

/** Deletes a message with its attachments. @throws StowageError `not_found` */
export async function deleteMessage(db: Database, id: number): Promise<void> {
  const deleted = await db
    .update(messages)
    .set({ deletedAt: sql`now()` })
    .where(and(eq(messages.id, id), isNull(messages.deletedAt)))
    .returning({ id: messages.id })
  failpoint('after-hide')
  await bury(db, { messageId: id })
  if (deleted.length === 0) throw messageNotFound()
}
