import { type SQL, sql } from 'drizzle-orm'
import { type AttachmentState, failedStates } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { attachments } from './schema.ts'
import { rowsOf, stateLiterals } from './statements.ts'
import type { Attachment } from './transitions.ts'

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
