import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '#persistence/connection/client.ts'
import { objects } from './schema.ts'
import { rowsOf } from './statements.ts'

/** Records the store's id of a multipart upload, before the first part is sent. */
export async function recordUploadId(db: Database, key: string, uploadId: string): Promise<void> {
  await db.execute(sql`update objects set upload_id = ${uploadId} where key = ${key}`)
}

/** The object key of an attempt; `undefined` once the object is scheduled for purge. */
export async function findObjectKey(db: Database, attachmentId: number, attempt: number): Promise<string | undefined> {
  const rows = await db.execute(sql`
    select * from objects where attachment_id = ${attachmentId} and attempt = ${attempt} and purge_at is null`)
  return rowsOf(objects, rows)[0]?.key
}

export interface Purgeable {
  key: string
  uploadId: string | null
  /** The number of purges so far. */
  purges: number
}

/**
 * Claims keys that are due for purge, for `claimSeconds`. Afterwards any replica may claim an unfinished key again.
 * There are two lanes with half of `limit` each. The second lane has the keys of very large deletions and the keys that
 * were purged before, so that their number does not delay a first purge.
 * `purge_at` is rounded to the nearest millisecond. `now()` is rounded the same way, because a key that is due now would
 * otherwise be due up to half a millisecond later.
 */
export async function claimPurgeable(db: Database, limit: number, claimSeconds: number): Promise<Purgeable[]> {
  const lane = (isLater: SQL) => sql`
    select key from objects where purge_at <= now()::timestamptz(3) and purge_later = ${isLater}
    order by purge_at limit ${Math.ceil(limit / 2)} for update skip locked`
  const rows = await db.execute(sql`
    with sooner as (${lane(sql`false`)}), later as (${lane(sql`true`)})
    update objects set purge_at = now() + make_interval(secs => ${claimSeconds})
    where key in (select key from sooner union all select key from later)
    returning *`)
  return rowsOf(objects, rows).map(({ key, uploadId, purges }) => ({ key, uploadId, purges }))
}

/** Schedules another purge of an emptied key after `seconds`, for parts that arrive late. */
export async function schedulePurge(db: Database, key: string, seconds: number): Promise<void> {
  await db.execute(sql`
    update objects set purges = purges + 1, purge_failures = 0, purge_later = true,
      purge_at = now() + make_interval(secs => ${seconds})
    where key = ${key}`)
}

/**
 * Postpones a failed purge by `first` seconds. Each further failure doubles the delay, up to `longest` seconds.
 */
export async function postponePurge(db: Database, key: string, first: number, longest: number): Promise<void> {
  await db.execute(sql`
    update objects set purge_failures = purge_failures + 1,
      purge_at = now() + make_interval(secs => least(${longest}::float8, ${first} * power(2, least(purge_failures, 20))))
    where key = ${key}`)
}

/** Deletes the row of an empty key for which no part can arrive. */
export async function deleteObjectRow(db: Database, key: string): Promise<void> {
  await db.execute(sql`delete from objects where key = ${key}`)
}
