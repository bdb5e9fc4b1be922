import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '#persistence/connection/client.ts'
import { objects } from './schema.ts'
import { rowsOf } from './statements.ts'

/** Writes down the store's id of a multipart upload, before its first part is sent. */
export async function recordUploadId(db: Database, key: string, uploadId: string): Promise<void> {
  await db.execute(sql`update objects set upload_id = ${uploadId} where key = ${key}`)
}

/** The key of the bytes of one attempt; `undefined` once it has been handed to the purge. */
export async function findObjectKey(db: Database, attachmentId: number, attempt: number): Promise<string | undefined> {
  const rows = await db.execute(sql`
    select * from objects where attachment_id = ${attachmentId} and attempt = ${attempt} and purge_at is null`)
  return rowsOf(objects, rows)[0]?.key
}

export interface Purgeable {
  key: string
  uploadId: string | null
  /** How often it was purged before. */
  purges: number
}

/**
 * Claims keys whose bytes are to go, for `claimSeconds`: one that is not done by then may be claimed again, by any replica.
 * There are two lanes, and each gets half: in the second one are those of very large deletions and those that were purged
 * before, so that whatever their number nobody's first purge waits behind them.
 * The column keeps milliseconds and rounds to the nearest; `now()` is rounded the same way, or what is due now would be due
 * up to half a millisecond later.
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

/** Nothing lies under the key now; look again after `seconds`, for parts that arrive late. */
export async function schedulePurge(db: Database, key: string, seconds: number): Promise<void> {
  await db.execute(sql`
    update objects set purges = purges + 1, purge_failures = 0, purge_later = true,
      purge_at = now() + make_interval(secs => ${seconds})
    where key = ${key}`)
}

/**
 * The bytes could not be removed; try again after `first` seconds, and twice as long after each further failure, at most
 * `longest`.
 */
export async function postponePurge(db: Database, key: string, first: number, longest: number): Promise<void> {
  await db.execute(sql`
    update objects set purge_failures = purge_failures + 1,
      purge_at = now() + make_interval(secs => least(${longest}::float8, ${first} * power(2, least(purge_failures, 20))))
    where key = ${key}`)
}

/** Nothing lies under the key, and nothing can arrive any more. */
export async function deleteObjectRow(db: Database, key: string): Promise<void> {
  await db.execute(sql`delete from objects where key = ${key}`)
}
