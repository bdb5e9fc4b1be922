import { type InferSelectModel, sql } from 'drizzle-orm'
import { readyState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import type { scrubs } from './schema.ts'
import { stateLiterals } from './statements.ts'

/** An object that a Ready attachment lies in, and what it has to be. */
export interface Scrubbable {
  key: string
  attachmentId: number
  /** Bytes. */
  size: number
  /** Lower-case hex. */
  digest: string
  /** Of the digest. */
  algorithm: string
}

export type ScrubCounts = Pick<InferSelectModel<typeof scrubs>, 'whole' | 'damaged' | 'missing' | 'orphaned'>

export interface ScrubPage {
  /** Keys behind this one. */
  after: string
  /** How many keys are looked at. */
  limit: number
  /** Leaves out those that were read within so many hours and were whole. */
  olderThanHours?: number | undefined
}

type ScrubbableRow = { key: string } & (
  | { id: string; file_size: string; file_checksum: string; file_checksum_algorithm: string }
  | { id: null }
)

const isWanted = sql`a.state = ${stateLiterals([readyState])} and a.deleted_at is null`

/**
 * Of the next keys, in their order, those whose bytes are to be read. What a page costs does not depend on how many of its
 * keys that are. By `offset 0` Postgres looks up the attachment of each key instead of reading all there are.
 * @returns `last`: where the next page begins, `undefined` when there is none
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
 * Of the next attachments, in the order of their ids, those that are Ready and have no key.
 * @param after ids behind this one
 * @param limit how many attachments are looked at
 * @returns `last`: where the next page begins, `undefined` when there is none
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
 * Writes down what reading an object has shown, unless its attachment was deleted meanwhile: then the bytes may go, and
 * that they did is no damage.
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

/** Those of the keys that have no row. */
export async function findUnknownKeys(db: Database, keys: readonly string[]): Promise<string[]> {
  const rows = await db.execute<{ key: string }>(sql`
    select k.key from jsonb_array_elements_text(${JSON.stringify(keys)}::text::jsonb) as k(key)
    where not exists (select from objects o where o.key = k.key)`)
  return rows.map(({ key }) => key)
}

/**
 * Writes down a scrub that ends now.
 * @param seconds it took
 */
export async function recordScrub(db: Database, counts: ScrubCounts, seconds: number): Promise<void> {
  const { whole, damaged, missing, orphaned } = counts
  await db.execute(sql`
    insert into scrubs (started_at, whole, damaged, missing, orphaned)
    values (now() - make_interval(secs => ${seconds}), ${whole}, ${damaged}, ${missing}, ${orphaned})`)
}
