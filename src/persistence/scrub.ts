import { type InferSelectModel, sql } from 'drizzle-orm'
import { readyState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import type { scrubs } from './schema.ts'
import { stateLiterals } from './statements.ts'

/** The object of a Ready attachment, with its expected size and digest. */
export interface Scrubbable {
  key: string
  attachmentId: number
  /** Bytes. */
  size: number
  /** Lower-case hex. */
  digest: string
  /** The algorithm of the digest. */
  algorithm: string
}

export type ScrubCounts = Pick<InferSelectModel<typeof scrubs>, 'whole' | 'damaged' | 'missing' | 'orphaned'>

export interface ScrubPage {
  /** The page starts after this key. */
  after: string
  /** Number of keys to scan. */
  limit: number
  /** Leaves out objects that were whole when read within this number of hours. */
  olderThanHours?: number | undefined
}

type ScrubbableRow = { key: string } & (
  | { id: string; file_size: string; file_checksum: string; file_checksum_algorithm: string }
  | { id: null }
)

const isWanted = sql`a.state = ${stateLiterals([readyState])} and a.deleted_at is null`

/**
 * The objects to read among the next keys, in the order of the keys. The cost of a page does not depend on the number of
 * objects to read. `offset 0` makes Postgres look up the attachment of each key instead of reading all attachments.
 * @returns `last`: the key before the next page; `undefined` on the last page
 */
export async function findScrubbable(
  db: Database,
  { after, limit, olderThanHours }: ScrubPage,
): Promise<{ objects: Scrubbable[]; last: string | undefined }> {
  const isDue =
    olderThanHours === undefined
      ? sql`true`
      : sql`(p.scrubbed_at is null or p.scrubbed_at < now() - make_interval(hours => ${olderThanHours}) or p.damage is not null)`
  const rows = await db.execute<ScrubbableRow>(sql`
    with page as (select * from objects where key > ${after} order by key limit ${limit})
    select p.key, a.id, a.file_size, a.file_checksum, a.file_checksum_algorithm
    from page p left join lateral (
      select * from attachments a
      where a.id = p.attachment_id and a.attempt = p.attempt and p.purge_at is null and ${isWanted} and ${isDue} offset 0
    ) a on true
    order by p.key`)
  const objects = rows.flatMap((row) => (row.id === null ? [] : [toScrubbable(row)]))
  return { objects, last: rows.length < limit ? undefined : rows.at(-1)?.key }
}

function toScrubbable(row: Extract<ScrubbableRow, { id: string }>): Scrubbable {
  return {
    key: row.key,
    attachmentId: Number(row.id),
    size: Number(row.file_size),
    digest: row.file_checksum,
    algorithm: row.file_checksum_algorithm,
  }
}

/**
 * The Ready attachments without a key among the next attachments, in the order of their ids.
 * @param after the page starts after this id
 * @param limit number of attachments to scan
 * @returns `last`: the id before the next page; `undefined` on the last page
 */
export async function findWithoutKey(
  db: Database,
  after: number,
  limit: number,
): Promise<{ attachmentIds: number[]; last: number | undefined }> {
  const rows = await db.execute<{ id: string; keyless: boolean }>(sql`
    with page as (select * from attachments where id > ${after} order by id limit ${limit})
    select a.id, ${isWanted} and not exists (
      select from objects o where o.attachment_id = a.id and o.attempt = a.attempt and o.purge_at is null
    ) as keyless
    from page a order by a.id`)
  const attachmentIds = rows.filter(({ keyless }) => keyless).map(({ id }) => Number(id))
  return { attachmentIds, last: rows.length < limit ? undefined : Number(rows.at(-1)?.id) }
}

/**
 * Records the result of reading an object, unless its attachment was deleted in the meantime. A deleted attachment may
 * lose its object, which is no damage.
 * @param damage in words; `null` when the object is whole
 * @returns whether the attachment still needs the object
 */
export async function recordScrubbed(
  db: Database,
  { key, attachmentId }: Pick<Scrubbable, 'key' | 'attachmentId'>,
  damage: string | null,
): Promise<boolean> {
  const rows = await db.execute(sql`
    update objects o set scrubbed_at = now(), damage = ${damage}
    from attachments a
    where o.key = ${key} and o.purge_at is null and a.id = ${attachmentId} and ${isWanted}
    returning o.key`)
  return rows.length > 0
}

/** The keys without a row. */
export async function findUnknownKeys(db: Database, keys: readonly string[]): Promise<string[]> {
  const rows = await db.execute<{ key: string }>(sql`
    select k.key from jsonb_array_elements_text(${JSON.stringify(keys)}::text::jsonb) as k(key)
    where not exists (select from objects o where o.key = k.key)`)
  return rows.map(({ key }) => key)
}

/**
 * Records a scrub that ends now.
 * @param seconds duration of the scrub
 */
export async function recordScrub(db: Database, counts: ScrubCounts, seconds: number): Promise<void> {
  const { whole, damaged, missing, orphaned } = counts
  await db.execute(sql`
    insert into scrubs (started_at, whole, damaged, missing, orphaned)
    values (now() - make_interval(secs => ${seconds}), ${whole}, ${damaged}, ${missing}, ${orphaned})`)
}
