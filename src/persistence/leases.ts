import { type SQL, sql } from 'drizzle-orm'
import { type AttachmentState, failedStates, type leasedStates, readyState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { type Attachment, type Attempt, attachments } from './schema.ts'
import { rowsOf, stateLiterals } from './statements.ts'

const verifying = 'ChecksumVerificationOnServerSideInProgress' satisfies AttachmentState

/**
 * Renews the leases of a writer's attempts.
 * @returns the number of renewed leases; fewer than the attempts when one of them was failed or deleted
 */
export async function renewLeases(db: Database, attempts: readonly Attempt[], leaseSeconds: number): Promise<number> {
  const rows = await db.execute(sql`
    update attachments a set lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
    from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as w(id bigint, attempt integer)
    where a.id = w.id and a.attempt = w.attempt and a.lease_expires_at is not null and a.deleted_at is null
    returning a.id`)
  return rows.length
}

/** Ends the leases of attempts without an active writer before they expire. */
export async function releaseLeases(db: Database, attempts: readonly Attempt[]): Promise<void> {
  await renewLeases(db, attempts, 0)
}

/**
 * Claims attempts in `state` with an expired lease, for `claimSeconds`. Afterwards an unfinished attempt may be claimed
 * again, by any replica.
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

/** An attachment whose bytes are stored and measured, but not verified. */
export interface Unverified extends Attachment {
  objectKey: string
  /** Another file of the request has failed, or was deleted before it became Ready. So this file must fail too. */
  siblingLoss: 'failed' | 'deleted' | undefined
}

/**
 * Selects the attachments of a request that are not Ready, deleted ones too. As a materialized CTE, because with a condition on
 * `deleted_at` Postgres would look through all deleted attachments.
 */
const unfinishedOf = (requestId: string | null) => sql`
  select * from attachments where request_id = ${requestId} and state <> ${stateLiterals([readyState])}`

/** All attachments in verification of the same request, the given attachment included. */
export async function findInVerification(
  db: Database,
  { id, requestId }: Pick<Attachment, 'id' | 'requestId'>,
): Promise<Unverified[]> {
  const isOfRequest = requestId === null ? sql`a.id = ${id}` : sql`a.request_id = ${requestId}`
  const rows = await db.execute<{ key: string; sibling_loss: Unverified['siblingLoss'] | null }>(sql`
    with siblings as materialized (${unfinishedOf(requestId)})
    select a.*, o.key, (
      select case when deleted_at is null then 'failed' else 'deleted' end from siblings
      where state in (${stateLiterals(failedStates)}) or deleted_at is not null
      limit 1
    ) as sibling_loss
    from attachments a join objects o on o.attachment_id = a.id and o.attempt = a.attempt
    where ${isOfRequest} and a.state = ${stateLiterals([verifying])} and a.lease_expires_at is not null and a.deleted_at is null
      and o.purge_at is null
    order by a.id`)
  const found = rowsOf(attachments, rows)
  return found.map((row, index) => {
    const { key, sibling_loss: siblingLoss } = rows[index] as (typeof rows)[number]
    return { ...row, objectKey: key, siblingLoss: siblingLoss ?? undefined }
  })
}

const uploading = 'UploadFromClientToServerInProgress' satisfies AttachmentState

/** An attempt whose bytes were still arriving, according to the rows. */
export interface InterruptedUpload extends Attachment {
  objectKey: string
}

const isUploading = (row: 'a' | 's') =>
  sql`${sql.identifier(row)}.state = ${stateLiterals([uploading])} and ${sql.identifier(row)}.deleted_at is null
    and ${sql.identifier(row)}.lease_expires_at is not null`

/** The earliest expiry of a lease that was taken or renewed after the hold began. */
const earliestExpiry = (leaseSeconds: number) =>
  sql`(select held_since from database_identity) + make_interval(secs => ${leaseSeconds})`

/** The condition that the writer of an attempt took or renewed its lease after the hold began. */
const isAlive = (row: 'a' | 's', leaseSeconds: number) =>
  sql`${sql.identifier(row)}.lease_expires_at >= ${earliestExpiry(leaseSeconds)}`

const isInterrupted = sql`${isUploading('a')} and a.id in (select id from expired)`

export interface InterruptedPage {
  /** The page starts after this id. */
  after: number
  limit: number
  /** Seconds for which a writer may be silent. */
  leaseSeconds: number
}

/** Attempts in progress before a hold began, whose writer has been silent since. They are in the order of their ids. */
export async function findInterrupted(
  db: Database,
  { after, limit, leaseSeconds }: InterruptedPage,
): Promise<InterruptedUpload[]> {
  return findUploads(db, sql`${isInterrupted} and a.id > ${after}`, { limit, leaseSeconds })
}

/**
 * The interrupted attempts of a request, as in {@link findInterrupted}.
 * @returns none when another attempt of the request has failed, was deleted, or has an active writer
 */
export async function findInterruptedRequest(
  db: Database,
  requestId: string,
  { limit, leaseSeconds }: Omit<InterruptedPage, 'after'>,
): Promise<InterruptedUpload[]> {
  const conflicting = sql`with s as materialized (${unfinishedOf(requestId)}) select from s where
    s.state in (${stateLiterals(failedStates)}) or s.deleted_at is not null or (${isUploading('s')} and ${isAlive('s', leaseSeconds)})`
  return findUploads(db, sql`${isInterrupted} and a.request_id = ${requestId} and not exists (${conflicting})`, {
    limit,
    leaseSeconds,
  })
}

/** Expired leases are looked up first, because leased attachments are few and unfinished attachments are many. */
async function findUploads(
  db: Database,
  condition: SQL,
  { limit, leaseSeconds }: Omit<InterruptedPage, 'after'>,
): Promise<InterruptedUpload[]> {
  const rows = await db.execute<{ key: string }>(sql`
    with expired as materialized (
      select id from attachments s where ${isUploading('s')} and s.lease_expires_at < ${earliestExpiry(leaseSeconds)}
    )
    select a.*, o.key from attachments a join objects o on o.attachment_id = a.id and o.attempt = a.attempt
    where ${condition} and o.purge_at is null order by a.id limit ${limit}`)
  return rowsOf(attachments, rows).map((row, index) => ({ ...row, objectKey: String(rows[index]?.key) }))
}
