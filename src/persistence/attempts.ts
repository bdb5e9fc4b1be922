import { type SQL, sql } from 'drizzle-orm'
import { newPublicId } from '#domain/ids.ts'
import { type AttachmentState, statesAwaitingBytes } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { type Attachment, type Attempt, attachments } from './schema.ts'
import { rowsOf, stateLiterals } from './statements.ts'
import { requireEdge, StateConflict } from './transitions.ts'

const uploading = 'UploadFromClientToServerInProgress' satisfies AttachmentState

export interface Reservation {
  messageId: number
  uploaderId: number
  fileName: string
  /** The result of `contentTypeFrom` for the declaration. */
  contentType: string
  checksumAlgorithm: string
  /** Bytes, if the client declared a size. */
  declaredSize?: number | undefined
  /** Lower-case hex, if the client declared a checksum. */
  declaredChecksum?: string | undefined
  /** Most attachments of the message, this one included. Unset: no limit. */
  mostOfMessage?: number | undefined
  reason: string
  actor: string
}

/** The object key of an attempt, the seconds until its lease expires unless renewed, and the id of its request. */
export interface Writer {
  objectKey: string
  leaseSeconds: number
  requestId: string
}

/**
 * Inserts a reservation: the attachment and its first step of history, before the first attempt.
 * @param mostAwaiting most attachments of the uploader that await their bytes, this one included; unset: no limit
 * @returns `undefined` when the message, its room or the uploader is deleted, the uploader is not a member of the room, or
 *   the message or the uploader has reached its limit
 */
export function insertReserved(
  db: Database,
  reservation: Reservation & { declaredSize: number },
  mostAwaiting?: number,
): Promise<Attachment | undefined> {
  const { uploaderId } = reservation
  const condition = mostAwaiting === undefined ? sql`true` : sql`not ${isAtReservationLimit(uploaderId, mostAwaiting)}`
  return insertAttachment(db, reservation, 'Initial', undefined, condition)
}

/**
 * Inserts the intent of an upload: the attachment, its object key and its first two steps of history. The rows are
 * committed before the store receives the key.
 * @returns `undefined` when the message, its room or the uploader is deleted, the uploader is not a member of the room, or
 *   the message has reached its limit
 */
export function insertIntent(db: Database, intent: Reservation & Writer): Promise<Attachment | undefined> {
  return insertAttachment(db, intent, uploading, intent)
}

/** Waits for a concurrent deletion of the message, room or uploader, so that no attachment outlives them. */
async function insertAttachment(
  db: Database,
  reservation: Reservation,
  state: AttachmentState,
  writer?: Writer,
  condition: SQL = sql`true`,
): Promise<Attachment | undefined> {
  const { messageId, declaredSize = null, declaredChecksum = null, mostOfMessage, reason, actor } = reservation
  const isBelowLimit =
    mostOfMessage === undefined ? sql`true` : sql`not ${isAtAttachmentLimit(messageId, mostOfMessage)}`
  const rows = await db.execute(sql`
    with destination as (
      select m.id, m.room_id, u.id as uploader_id
      from messages m join rooms r on r.id = m.room_id join users u on u.id = ${reservation.uploaderId}
        join members i on i.room_id = r.id and i.user_id = u.id
      where m.id = ${messageId} and m.deleted_at is null and r.deleted_at is null and u.deleted_at is null
        and ${isBelowLimit} and ${condition}
      for share of m, r, u
    ), inserted as (
      insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, declared_size,
        declared_checksum, file_checksum_algorithm, state, attempt, lease_expires_at, request_id)
      select ${newPublicId()}, destination.id, destination.room_id, destination.uploader_id, ${reservation.fileName},
        ${reservation.contentType}, ${declaredSize}::bigint, ${declaredChecksum}, ${reservation.checksumAlgorithm},
        ${state}, ${writer ? 1 : 0}::integer, now() + make_interval(secs => ${writer?.leaseSeconds ?? null}),
        ${writer?.requestId ?? null}
      from destination
      returning *
    ), object as (
      insert into objects (key, attachment_id, attempt)
      select ${writer?.objectKey ?? null}, id, attempt from inserted where attempt > 0
    ), history as (
      insert into transitions (attachment_id, attempt, "from", "to", reason, actor)
      select id, step.attempt, step."from", step."to", ${reason}, ${actor}
      from inserted join (values (0, null, 'Initial'), (1, 'Initial', ${uploading})) as step(attempt, "from", "to")
        on step.attempt <= inserted.attempt
      order by step.attempt
    )
    select * from inserted`)
  return rowsOf(attachments, rows)[0]
}

export interface NewAttempt extends Writer {
  /** The media type known when the bytes begin to arrive. */
  contentType: string
  reason: string
  actor: string
}

/**
 * Begins a new attempt of an attachment that awaits its bytes, by compare-and-set on (id, state, attempt), in one
 * statement. The statement inserts the object key, clears the measurements of the previous attempt and grants the lease.
 * @param seen the attachment as it was read
 * @throws StateConflict when the attachment has another state or attempt, or is deleted
 */
export async function insertAttempt(
  db: Database,
  seen: Attempt & { state: AttachmentState },
  { objectKey, leaseSeconds, requestId, contentType, reason, actor }: NewAttempt,
): Promise<Attachment> {
  requireEdge(seen.state, uploading)
  const rows = await db.execute(sql`
    with begun as (
      update attachments set
        state = ${uploading},
        attempt = attempt + 1,
        modified_at = now(),
        lease_expires_at = now() + make_interval(secs => ${leaseSeconds}),
        request_id = ${requestId},
        content_type = ${contentType},
        failure_reason = null,
        file_size = null,
        file_checksum = null
      where id = ${seen.id} and state = ${seen.state} and attempt = ${seen.attempt} and deleted_at is null
      returning *
    ), object as (
      insert into objects (key, attachment_id, attempt) select ${objectKey}, id, attempt from begun
    ), history as (
      insert into transitions (attachment_id, attempt, "from", "to", reason, actor)
      select id, attempt, ${seen.state}, ${uploading}, ${reason}, ${actor} from begun
    )
    select * from begun`)
  const [begun] = rowsOf(attachments, rows)
  if (begun === undefined) throw new StateConflict(seen.state, uploading)
  return begun
}

// Conditions of a statement. A count stops at its limit.

/** The condition that a user has `most` attachments that await their bytes: reserved, or failed and not yet expired. */
export function isAtReservationLimit(uploaderId: number, most: number): SQL {
  return sql`(select count(*) >= ${most} from (
    select from attachments
    where uploader_id = ${uploaderId} and deleted_at is null and state in (${stateLiterals(statesAwaitingBytes)})
    limit ${most}
  ) counted)`
}

/** The condition that a message has `most` attachments, in any state. */
export function isAtAttachmentLimit(messageId: number, most: number): SQL {
  return sql`(select count(*) >= ${most} from (
    select from attachments where message_id = ${messageId} and deleted_at is null
    order by deleted_at, id limit ${most}
  ) counted)`
}

/** Evaluates a condition. */
export async function isTrue(db: Database, condition: SQL): Promise<boolean> {
  const [row] = await db.execute<{ holds: boolean }>(sql`select ${condition} as holds`)
  return row?.holds === true
}
