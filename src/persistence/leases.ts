import { type SQL, sql } from 'drizzle-orm'
import { type AttachmentState, failedStates, type leasedStates } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { type Attachment, type Attempt, attachments } from './schema.ts'
import { rowsOf, stateLiterals } from './statements.ts'

const verifying = 'ChecksumVerificationOnServerSideInProgress' satisfies AttachmentState

/**
 * Tells that the writer of these attempts lives.
 * @returns how many of them are still its own: fewer than given means that one was failed or deleted meanwhile
 */
export async function renewLeases(db: Database, attempts: readonly Attempt[], leaseSeconds: number): Promise<number> {
  const rows = await db.execute(sql`
    update attachments a set lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
    from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as w(id bigint, attempt integer)
    where a.id = w.id and a.attempt = w.attempt and a.lease_expires_at is not null and a.deleted_at is null
    returning a.id`)
  return rows.length
}

/** Tells that nobody is at work on these attempts any more, before their lease has run out. */
export async function releaseLeases(db: Database, attempts: readonly Attempt[]): Promise<void> {
  await renewLeases(db, attempts, 0)
}

/**
 * Claims attempts in `state` whose writer has been silent past its lease, for `claimSeconds`: one that is not done by then
 * may be claimed again, by any replica.
 */
export async function claimExpired(
  db: Database,
  state: (typeof leasedStates)[number],
  limit: number,
  claimSeconds: number,
): Promise<Attachment[]> {
  const rows = await db.execute(sql`
    update attachments set lease_expires_at = now() + make_interval(secs => ${claimSeconds})
    where id in (
      select id from attachments where state = ${stateLiterals([state])} and deleted_at is null and lease_expires_at < now()
      order by lease_expires_at limit ${limit} for update skip locked
    )
    returning *`)
  return rowsOf(attachments, rows)
}

/** A file whose bytes are stored and measured, but not verified. */
export interface Unverified extends Attachment {
  objectKey: string
  /** Another file of its request has failed, and so must this one. */
  hasFailedSibling: boolean
}

/** Every file in verification that came with the same request as this one, itself included. */
export async function findInVerification(
  db: Database,
  { id, requestId }: Pick<Attachment, 'id' | 'requestId'>,
): Promise<Unverified[]> {
  const together = requestId === null ? sql`a.id = ${id}` : sql`a.request_id = ${requestId}`
  const rows = await db.execute<{ key: string; forlorn: boolean }>(sql`
    select a.*, o.key,
      exists (select from attachments s where s.request_id = a.request_id and s.state in (${stateLiterals(failedStates)})) as forlorn
    from attachments a join objects o on o.attachment_id = a.id and o.attempt = a.attempt
    where ${together} and a.state = ${stateLiterals([verifying])} and a.lease_expires_at is not null and a.deleted_at is null
      and o.purge_at is null
    order by a.id`)
  const found = rowsOf(attachments, rows)
  return found.map((row, index) => {
    const { key, forlorn } = rows[index] as (typeof rows)[number]
    return { ...row, objectKey: key, hasFailedSibling: forlorn }
  })
}

const uploading = 'UploadFromClientToServerInProgress' satisfies AttachmentState

/** An attempt whose bytes were still arriving, as far as the rows know. */
export interface InterruptedUpload extends Attachment {
  objectKey: string
}

const isUploading = (row: 'a' | 's') =>
  sql`${sql.identifier(row)}.state = ${stateLiterals([uploading])} and ${sql.identifier(row)}.deleted_at is null
    and ${sql.identifier(row)}.lease_expires_at is not null`

/** The earliest end of a lease that was taken or renewed since the hold began. */
const firstEnd = (leaseSeconds: number) =>
  sql`(select held_since from database_identity) + make_interval(secs => ${leaseSeconds})`

/** The condition that the writer of an attempt has taken or renewed its lease since the hold began. */
const isAlive = (row: 'a' | 's', leaseSeconds: number) =>
  sql`${sql.identifier(row)}.lease_expires_at >= ${firstEnd(leaseSeconds)}`

const isInterrupted = sql`${isUploading('a')} and a.id in (select id from ended)`

export interface InterruptedPage {
  /** Ids behind this one. */
  after: number
  limit: number
  /** How long a writer may be silent. */
  leaseSeconds: number
}

/** Attempts that were under way before a hold began and of whose writer nothing was heard since, in the order of their ids. */
export async function findInterrupted(
  db: Database,
  { after, limit, leaseSeconds }: InterruptedPage,
): Promise<InterruptedUpload[]> {
  return find(db, sql`${isInterrupted} and a.id > ${after}`, { limit, leaseSeconds })
}

/**
 * The files of a request that {@link findInterrupted} finds, when that is all of them that there are.
 * @returns none when one of the request has failed, or is still at work
 */
export async function findInterruptedRequest(
  db: Database,
  requestId: string,
  { limit, leaseSeconds }: Omit<InterruptedPage, 'after'>,
): Promise<InterruptedUpload[]> {
  const others = sql`select from attachments s where s.request_id = ${requestId} and (
    s.state in (${stateLiterals(failedStates)}) or (${isUploading('s')} and ${isAlive('s', leaseSeconds)}))`
  return find(db, sql`${isInterrupted} and a.request_id = ${requestId} and not exists (${others})`, {
    limit,
    leaseSeconds,
  })
}

/** Those whose lease has ended are looked up first, among the leased: there are few, and many that are neither Ready nor leased. */
async function find(
  db: Database,
  which: SQL,
  { limit, leaseSeconds }: Omit<InterruptedPage, 'after'>,
): Promise<InterruptedUpload[]> {
  const rows = await db.execute<{ key: string }>(sql`
    with ended as materialized (
      select id from attachments s where ${isUploading('s')} and s.lease_expires_at < ${firstEnd(leaseSeconds)}
    )
    select a.*, o.key from attachments a join objects o on o.attachment_id = a.id and o.attempt = a.attempt
    where ${which} and o.purge_at is null order by a.id limit ${limit}`)
  return rowsOf(attachments, rows).map((row, index) => ({ ...row, objectKey: String(rows[index]?.key) }))
}
