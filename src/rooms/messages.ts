import { and, eq, isNull, sql } from 'drizzle-orm'
import { messageNotFound } from '#auth/permissions.ts'
import { StowageError } from '#domain/errors.ts'
import { newPublicId } from '#domain/ids.ts'
import { failpoint } from '#failpoints.ts'
import type { Database } from '#persistence/connection/client.ts'
import { softDeleteContents } from '#persistence/deletion.ts'
import { messages } from '#persistence/schema.ts'
import { retryUntilVisible } from './again.ts'
import { ensureUsers, requestedUsers, throwIfDeleted } from './known-users.ts'
import { roomNotFound } from './rooms.ts'
import { batchesAtOnce } from './users.ts'

/** A message with both its ids. */
export interface MessageIds {
  id: number
  publicId: string
}

interface MessageRow extends Record<string, unknown> {
  refused: string | null
  has_room: boolean
  public_id: string | null
  room_id: string | null
  is_deleted: boolean | null
}

/**
 * Makes a message known, with its author. Doing it again changes nothing; when something is wrong nothing is changed.
 * @throws StowageError `not_found` when the room is not known, `conflict` when the message was deleted or lies in another
 *   room, or when its author was deleted
 */
export async function putMessage(
  db: Database,
  id: number,
  { roomId, authorId }: { roomId: number; authorId: number },
): Promise<MessageIds> {
  const publicId = await retryUntilVisible(async () => {
    const row = await putMessageOnce(db, id, roomId, authorId)
    throwIfDeleted(row?.refused)
    if (row?.is_deleted) throw new StowageError('conflict', `Message ${id} was deleted; take a new id.`)
    if (row?.room_id != null && Number(row.room_id) !== roomId)
      throw new StowageError('conflict', `Message ${id} lies in another room and stays there.`)
    if (!row?.has_room) throw roomNotFound()
    return row.public_id ?? undefined
  })
  return { id, publicId }
}

/** One statement. Of two at once, the second neither adds the message nor sees it, and is asked again. */
async function putMessageOnce(
  db: Database,
  id: number,
  roomId: number,
  authorId: number,
): Promise<MessageRow | undefined> {
  const [row] = await db.execute<MessageRow>(sql`
    with ${requestedUsers([{ id: authorId }])},
    room as materialized (
      select id from rooms where id = ${roomId} and deleted_at is null for share
    ), seen as materialized (
      select public_id, room_id, deleted_at from messages where id = ${id}
    ), added as (
      insert into messages (id, public_id, room_id, author_id)
      select ${id}::bigint, ${newPublicId()}, room.id, ${authorId}::bigint from room
      where not exists (select from refused) and not exists (select from seen)
      on conflict (id) do nothing
      returning public_id, room_id, deleted_at
    ),
    ${ensureUsers(sql`exists (select from added)`)}
    select (select id from refused) as refused, exists (select from room) as has_room,
      message.public_id, message.room_id, message.deleted_at is not null as is_deleted
    from (select) always left join (select * from seen union all select * from added) message on true`)
  return row
}

/** A new message of Stowage's own, for an upload that names none. @returns `undefined` when the room is gone */
export async function createInternalMessage(
  db: Database,
  roomId: number,
  authorId: number,
): Promise<number | undefined> {
  const [row] = await db.execute<{ id: string }>(sql`
    insert into messages (id, public_id, room_id, author_id)
    select nextval('own_ids'), ${newPublicId()}, r.id, ${authorId}::bigint from rooms r
    where r.id = ${roomId} and r.deleted_at is null for share
    returning id`)
  return row && Number(row.id)
}

/**
 * Deletes a message: hidden at once with its attachments, which are then buried; what is too much to wait for is left to the
 * workers.
 * @returns whether nothing is left to them
 * @throws StowageError `not_found`
 */
export async function deleteMessage(db: Database, id: number): Promise<boolean> {
  const deleted = await db
    .update(messages)
    .set({ deletedAt: sql`now()` })
    .where(and(eq(messages.id, id), isNull(messages.deletedAt)))
    .returning({ id: messages.id })
  failpoint('after-hide')
  const { isFinished } = await softDeleteContents(db, 'messages', id, batchesAtOnce)
  if (deleted.length === 0) throw messageNotFound()
  return isFinished
}
