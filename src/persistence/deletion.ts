import { sql } from 'drizzle-orm'
import { failpoint } from '#failpoints.ts'
import type { Database } from '#persistence/connection/client.ts'

/** The attachments to delete: one attachment, or all attachments of a message, a room or an uploader. */
export type DeletionScope = { id: number } | { messageId: number } | { roomId: number } | { uploaderId: number }

/** Attachments that one statement deletes, in tens of milliseconds. */
export const deletionBatch = 500

/** The result of a soft deletion. */
export interface DeletionProgress {
  /** Number of deleted attachments. */
  count: number
  /** Whether no attachment is left to delete. */
  isFinished: boolean
}

const scopeColumns = { id: 'id', messageId: 'message_id', roomId: 'room_id', uploaderId: 'uploader_id' } as const

/**
 * Sets the tombstone of attachments. A tombstone is final and hides the attachment at once on every replica. The object is
 * scheduled for purge. An active writer loses its lease and stops. The newest attachments are deleted first, because most
 * active writers are at work on these.
 * @param mostBatches maximum number of statements of {@link deletionBatch} attachments; the rest remains
 */
export async function softDelete(
  db: Database,
  which: DeletionScope,
  mostBatches = Number.POSITIVE_INFINITY,
): Promise<DeletionProgress> {
  let count = 0
  let hasSkipped = false
  let below = Number.MAX_SAFE_INTEGER
  for (let batch = 0; batch < mostBatches; batch += 1) {
    const { seen, deleted, lowest } = await softDeleteBatch(db, which, below)
    count += deleted
    hasSkipped ||= deleted < seen
    const isLast = seen < deletionBatch
    if (isLast && !hasSkipped) return { count, isFinished: true }
    below = isLast ? Number.MAX_SAFE_INTEGER : lowest
    if (isLast) hasSkipped = false
  }
  return { count, isFinished: false }
}

/**
 * Deletes the newest attachments with an id below `below`. The rows are locked by id, as in every transition, to prevent
 * deadlocks. An attachment is skipped when an attempt begins while the statement waits for its row, because the statement
 * cannot see the object key of that attempt. The next pass deletes the attachment. An attachment that another statement
 * deletes first is skipped too.
 */
async function softDeleteBatch(
  db: Database,
  which: DeletionScope,
  below: number,
): Promise<{ seen: number; deleted: number; lowest: number }> {
  const [name, value] = Object.entries(which)[0] as [keyof typeof scopeColumns, number]
  // The order of the scope's index.
  const newestFirst = name === 'messageId' ? sql`deleted_at desc, id desc` : sql`id desc`
  failpoint('before-tombstone')
  const [row] = await db.execute<{ seen: number; deleted: number; lowest: string | null }>(sql`
    with seen as materialized (
      select id, attempt from attachments
      where ${sql.identifier(scopeColumns[name])} = ${value} and deleted_at is null and id < ${below}
      order by ${newestFirst} limit ${deletionBatch}
    ), selected as (
      select a.id from attachments a join seen on a.id = seen.id and a.attempt = seen.attempt
      where a.deleted_at is null order by a.id for update of a
    ), deleted as (
      update attachments a set deleted_at = now(), modified_at = now(), lease_expires_at = null
      from selected where a.id = selected.id
      returning a.id
    ), scheduled as (
      update objects o set purge_at = now(), purge_later = (select count(*) from seen) = ${deletionBatch}
      from deleted where o.attachment_id = deleted.id and o.purge_at is null
    )
    select (select count(*) from seen)::int as seen, (select count(*) from deleted)::int as deleted,
      (select min(id) from seen) as lowest`)
  failpoint('after-tombstone')
  return { seen: row?.seen ?? 0, deleted: row?.deleted ?? 0, lowest: Number(row?.lowest ?? 0) }
}

/** The tables whose rows contain attachments and are deleted with them. */
export type DeletedParent = 'messages' | 'rooms' | 'users'

const scopeOf = {
  messages: (messageId: number): DeletionScope => ({ messageId }),
  rooms: (roomId: number): DeletionScope => ({ roomId }),
  users: (uploaderId: number): DeletionScope => ({ uploaderId }),
}

/** Hides a message, room or user at once on every replica. @returns false when the row is hidden already, or unknown */
export async function hide(db: Database, parent: DeletedParent, id: number): Promise<boolean> {
  const rows = await db.execute(sql`
    update ${sql.identifier(parent)} set deleted_at = now() where id = ${id} and deleted_at is null returning id`)
  return rows.length > 0
}

/** Members that one statement removes. */
const memberBatch = 2000

/**
 * Deletes the contents of a hidden message, room or user, in bounded batches, and sets `buried_at` when no content is left.
 * The workers find rows without `buried_at` and continue. Every step is idempotent.
 * @param mostBatches maximum number of batches of attachments
 */
export async function softDeleteContents(
  db: Database,
  parent: DeletedParent,
  id: number,
  mostBatches: number,
): Promise<DeletionProgress> {
  if (parent === 'users') await endUser(db, id)
  const deleted = await softDelete(db, scopeOf[parent](id), mostBatches)
  const isEmpty = parent === 'messages' || (await removeMembers(db, parent, id))
  if (!deleted.isFinished || !isEmpty) return { count: deleted.count, isFinished: false }
  await db.execute(sql`
    update ${sql.identifier(parent)} set buried_at = now()
    where id = ${id} and deleted_at is not null and buried_at is null`)
  return deleted
}

/**
 * Hides the personal room of a deleted user and revokes the user's credentials. The contents of the room are then deleted
 * like those of any room. The statements run separately, so that none holds one lock while it waits for another: uploads
 * lock the room and the uploader together.
 */
async function endUser(db: Database, id: number): Promise<void> {
  await db.execute(sql`update rooms set deleted_at = now() where owner_id = ${id} and deleted_at is null`)
  await db.execute(sql`update tokens set revoked_at = now() where user_id = ${id} and revoked_at is null`)
  await db.execute(sql`
    update sessions set revoked_at = now() where user_id = ${id} and token_id is null and revoked_at is null`)
}

/** @returns whether no member is left */
async function removeMembers(db: Database, parent: 'rooms' | 'users', id: number): Promise<boolean> {
  const column = sql.identifier(parent === 'rooms' ? 'room_id' : 'user_id')
  const rows = await db.execute(sql`
    delete from members m using (
      select room_id, user_id from members where ${column} = ${id} limit ${memberBatch}
    ) page
    where m.room_id = page.room_id and m.user_id = page.user_id
    returning m.room_id`)
  return rows.length < memberBatch
}

/** Hidden rows with an unfinished deletion. */
export interface PendingDeletions {
  /** The rows with contents. */
  ids: number[]
  /** Whether more rows may follow. */
  hasMore: boolean
}

/**
 * The hidden rows with an unfinished deletion, in the order in which they were hidden. The deletion of messages without
 * attachments is marked as finished at once, because such messages may be very many.
 */
export async function findPendingDeletions(
  db: Database,
  parent: DeletedParent,
  limit: number,
): Promise<PendingDeletions> {
  const table = sql.identifier(parent)
  const hasContents =
    parent === 'messages'
      ? sql`exists (select from attachments a where a.message_id = p.id and a.deleted_at is null)`
      : sql`true`
  const rows = await db.execute<{ id: string; has_contents: boolean }>(sql`
    with page as materialized (
      select p.id, ${hasContents} as has_contents from ${table} p
      where p.deleted_at is not null and p.buried_at is null
      order by p.deleted_at limit ${limit}
    ), finished as (
      update ${table} p set buried_at = now() from page where p.id = page.id and not page.has_contents
    )
    select id, has_contents from page`)
  const ids = rows.filter((row) => row.has_contents).map(({ id }) => Number(id))
  return { ids, hasMore: rows.length === limit }
}
