import { sql } from 'drizzle-orm'
import { failpoint } from '#failpoints.ts'
import type { Database } from '#persistence/connection/client.ts'

/** The attachments to delete: one, or everything of a message, a room or an uploader. */
export type DeletionScope = { id: number } | { messageId: number } | { roomId: number } | { uploaderId: number }

/** Attachments that one statement buries, in tens of milliseconds. */
export const deletionBatch = 500

/** The result of a burial. */
export interface DeletionProgress {
  /** How many attachments. */
  count: number
  /** Whether nothing is left to delete. */
  isFinished: boolean
}

const scopeColumns = { id: 'id', messageId: 'message_id', roomId: 'room_id', uploaderId: 'uploader_id' } as const

/**
 * Sets the tombstone: hidden at once on every replica, never to come back, its bytes handed to the purge. A writer that
 * is still at work loses its lease and stops; the newest go first, as most writers are at work on these.
 * @param mostBatches how many statements of {@link deletionBatch} at most; the rest is left
 */
export async function softDelete(
  db: Database,
  which: DeletionScope,
  mostBatches = Number.POSITIVE_INFINITY,
): Promise<DeletionProgress> {
  let count = 0
  let isPassedOver = false
  let below = Number.MAX_SAFE_INTEGER
  for (let batch = 0; batch < mostBatches; batch += 1) {
    const { seen, buried, lowest } = await softDeleteBatch(db, which, below)
    count += buried
    isPassedOver ||= buried < seen
    const isLast = seen < deletionBatch
    if (isLast && !isPassedOver) return { count, isFinished: true }
    below = isLast ? Number.MAX_SAFE_INTEGER : lowest
    if (isLast) isPassedOver = false
  }
  return { count, isFinished: false }
}

/**
 * Buries the newest with an id below `below`. Locks the rows by id, as every move locks them, or the two could each wait for
 * the other. One on which an attempt begins while this waits for it is passed over, because the statement cannot see that
 * attempt's key; another try does. One that somebody else buries meanwhile is passed over too.
 */
async function softDeleteBatch(
  db: Database,
  which: DeletionScope,
  below: number,
): Promise<{ seen: number; buried: number; lowest: number }> {
  const [name, value] = Object.entries(which)[0] as [keyof typeof scopeColumns, number]
  // As the index of each has them.
  const newestFirst = name === 'messageId' ? sql`deleted_at desc, id desc` : sql`id desc`
  failpoint('before-tombstone')
  const [row] = await db.execute<{ seen: number; buried: number; lowest: string | null }>(sql`
    with seen as materialized (
      select id, attempt from attachments
      where ${sql.identifier(scopeColumns[name])} = ${value} and deleted_at is null and id < ${below}
      order by ${newestFirst} limit ${deletionBatch}
    ), doomed as (
      select a.id from attachments a join seen on a.id = seen.id and a.attempt = seen.attempt
      where a.deleted_at is null order by a.id for update of a
    ), buried as (
      update attachments a set deleted_at = now(), modified_at = now(), lease_expires_at = null
      from doomed where a.id = doomed.id
      returning a.id
    ), purged as (
      update objects o set purge_at = now(), purge_later = (select count(*) from seen) = ${deletionBatch}
      from buried where o.attachment_id = buried.id and o.purge_at is null
    )
    select (select count(*) from seen)::int as seen, (select count(*) from buried)::int as buried,
      (select min(id) from seen) as lowest`)
  failpoint('after-tombstone')
  return { seen: row?.seen ?? 0, buried: row?.buried ?? 0, lowest: Number(row?.lowest ?? 0) }
}

/** The tables whose rows hold attachments and can be deleted with them. */
export type DeletedParent = 'messages' | 'rooms' | 'users'

const scopeOf = {
  messages: (messageId: number): DeletionScope => ({ messageId }),
  rooms: (roomId: number): DeletionScope => ({ roomId }),
  users: (uploaderId: number): DeletionScope => ({ uploaderId }),
}

/** Hides a message, room or user at once on every replica. @returns false when it is hidden already, or unknown */
export async function hide(db: Database, parent: DeletedParent, id: number): Promise<boolean> {
  const rows = await db.execute(sql`
    update ${sql.identifier(parent)} set deleted_at = now() where id = ${id} and deleted_at is null returning id`)
  return rows.length > 0
}

/** How many members are removed in one statement. */
const memberBatch = 2000

/**
 * Buries what a message, room or user that is hidden already still holds, a bounded number of it, and notes when nothing is
 * left. Until then the workers find it by that and go on. Every step may be done again.
 * @param mostBatches how many batches of attachments at most
 */
export async function softDeleteContents(
  db: Database,
  holder: DeletedParent,
  id: number,
  mostBatches: number,
): Promise<DeletionProgress> {
  if (holder === 'users') await endUser(db, id)
  const buried = await softDelete(db, scopeOf[holder](id), mostBatches)
  const isEmpty = holder === 'messages' || (await removeMembers(db, holder, id))
  if (!buried.isFinished || !isEmpty) return { count: buried.count, isFinished: false }
  await db.execute(sql`
    update ${sql.identifier(holder)} set buried_at = now()
    where id = ${id} and deleted_at is not null and buried_at is null`)
  return buried
}

/**
 * Hides the own conversation of a user who is deleted, which then is buried as any room, and ends their credentials. One
 * statement after the other, none of which holds one lock while it waits for another, since uploads lock the room and the
 * uploader together.
 */
async function endUser(db: Database, id: number): Promise<void> {
  await db.execute(sql`update rooms set deleted_at = now() where owner_id = ${id} and deleted_at is null`)
  await db.execute(sql`update tokens set revoked_at = now() where user_id = ${id} and revoked_at is null`)
  await db.execute(sql`
    update sessions set revoked_at = now() where user_id = ${id} and token_id is null and revoked_at is null`)
}

/** @returns whether none is left */
async function removeMembers(db: Database, holder: 'rooms' | 'users', id: number): Promise<boolean> {
  const column = sql.identifier(holder === 'rooms' ? 'room_id' : 'user_id')
  const rows = await db.execute(sql`
    delete from members m using (
      select room_id, user_id from members where ${column} = ${id} limit ${memberBatch}
    ) gone
    where m.room_id = gone.room_id and m.user_id = gone.user_id
    returning m.room_id`)
  return rows.length < memberBatch
}

/** Hidden and not buried. */
export interface PendingDeletions {
  /** Those that hold something. */
  ids: number[]
  /** Whether there may be more behind them. */
  hasMore: boolean
}

/**
 * The rows that are hidden and not buried, from the one hidden first. Messages without attachments are noted as buried at once,
 * because there may be very many.
 */
export async function findPendingDeletions(
  db: Database,
  holder: DeletedParent,
  limit: number,
): Promise<PendingDeletions> {
  const table = sql.identifier(holder)
  const holdsSome =
    holder === 'messages'
      ? sql`exists (select from attachments a where a.message_id = h.id and a.deleted_at is null)`
      : sql`true`
  const rows = await db.execute<{ id: string; holds_some: boolean }>(sql`
    with page as materialized (
      select h.id, ${holdsSome} as holds_some from ${table} h
      where h.deleted_at is not null and h.buried_at is null
      order by h.deleted_at limit ${limit}
    ), noted as (
      update ${table} h set buried_at = now() from page where h.id = page.id and not page.holds_some
    )
    select id, holds_some from page`)
  const ids = rows.filter((row) => row.holds_some).map(({ id }) => Number(id))
  return { ids, hasMore: rows.length === limit }
}
