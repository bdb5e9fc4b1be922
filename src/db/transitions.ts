import { type InferSelectModel, sql } from 'drizzle-orm'
import { StowageError } from '../errors.ts'
import { type AttachmentState, isFailed, isLeased, legalMoves } from '../lifecycle/states.ts'
import { type Database, rowsOf } from './client.ts'
import { newPublicId } from './public-ids.ts'
import { attachments } from './schema.ts'

export type Attachment = InferSelectModel<typeof attachments>

/** One try to bring the bytes of one attachment in. */
export interface Attempt {
  id: number
  attempt: number
}

/** What a move writes down besides the state. */
export interface Measured {
  fileSize?: number
  fileChecksum?: string
}

export interface MoveOptions {
  from: AttachmentState
  to: AttachmentState
  /** Why, in words; in a failed state the client reads it as `failureReason`. */
  reason: string
  /** Who: `user:1`, or the worker's name. */
  actor: string
  /** How long the writer may be silent after this move; needed when `to` is a state with a writer at work. */
  leaseSeconds?: number
}

/** Somebody else moved or deleted one of the attachments first; nothing was changed. */
export class StateConflict extends StowageError {
  constructor(from: AttachmentState, to: AttachmentState) {
    super('conflict', `The attachment is no longer in state ${from}, so it cannot move to ${to}. Read it again.`)
    this.name = 'StateConflict'
  }
}

/**
 * Moves attachments from one state to another, all of them or none, by compare-and-set on (id, state, attempt), with one
 * row of history each, in one statement. Reaching a failed state hands the bytes of the attempt to the purge.
 * @returns the rows as they are now, in the order of `attempts`
 * @throws StateConflict when one of them is elsewhere by now, or deleted
 */
export async function move(
  db: Database,
  attempts: readonly (Attempt & Measured)[],
  { from, to, reason, actor, leaseSeconds }: MoveOptions,
): Promise<Attachment[]> {
  if (!legalMoves[from].includes(to)) throw new Error(`No edge from ${from} to ${to}`)
  if (isLeased(to) && leaseSeconds === undefined) throw new Error(`A lease is needed in ${to}`)
  const failed = isFailed(to)
  const lease = isLeased(to) ? sql`now() + make_interval(secs => ${leaseSeconds})` : sql`null`
  const rows = await db.execute(sql`
    with wanted as (
      select * from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb)
        as w(id bigint, attempt integer, "fileSize" bigint, "fileChecksum" text)
    ), locked as (
      select a.id from attachments a join wanted w on a.id = w.id and a.attempt = w.attempt
      where a.state = ${from} and a.deleted_at is null
      order by a.id for update of a
    ), moved as (
      update attachments a set
        state = ${to},
        modified_at = now(),
        lease_expires_at = ${lease},
        failure_reason = ${failed ? reason : null},
        file_size = coalesce(w."fileSize", a.file_size),
        file_checksum = coalesce(w."fileChecksum", a.file_checksum)
      from wanted w
      where a.id = w.id and a.id in (select id from locked)
        and (select count(*) from locked) = (select count(*) from wanted)
      returning a.*
    ), history as (
      insert into transitions (attachment_id, attempt, "from", "to", reason, actor)
      select id, attempt, ${from}, ${to}, ${reason}, ${actor} from moved order by id
    ), purged as (
      update objects o set purge_at = now() from moved
      where ${failed} and o.attachment_id = moved.id and o.attempt = moved.attempt
    )
    select * from moved`)
  if (rows.length !== attempts.length) throw new StateConflict(from, to)
  const moved = new Map(rowsOf(attachments, rows).map((row) => [row.id, row]))
  return attempts.map(({ id }) => moved.get(id) as Attachment)
}

export interface Reservation {
  messageId: number
  uploaderId: number
  fileName: string
  /** As the client claims it. */
  contentType: string
  checksumAlgorithm: string
  /** Where the bytes will lie. */
  objectKey: string
  reason: string
  actor: string
  leaseSeconds: number
}

/**
 * The intent: the attachment, the key of its bytes and its first two steps of history, committed before the store hears
 * of the key. Waits for a deletion of the message, room or user that is under way, so that no attachment outlives them.
 * @returns `undefined` when the message, its room or the uploader is gone
 */
export async function insertUploading(db: Database, intent: Reservation): Promise<Attachment | undefined> {
  const first: AttachmentState = 'Initial'
  const second: AttachmentState = 'UploadFromClientToServerInProgress'
  const rows = await db.execute(sql`
    with place as (
      select m.id, m.room_id, u.id as uploader_id
      from messages m join rooms r on r.id = m.room_id join users u on u.id = ${intent.uploaderId}
      where m.id = ${intent.messageId} and m.deleted_at is null and r.deleted_at is null and u.deleted_at is null
      for share of m, r, u
    ), inserted as (
      insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type,
        file_checksum_algorithm, state, attempt, lease_expires_at)
      select ${newPublicId()}, place.id, place.room_id, place.uploader_id, ${intent.fileName}, ${intent.contentType},
        ${intent.checksumAlgorithm}, ${second}, 1, now() + make_interval(secs => ${intent.leaseSeconds})
      from place
      returning *
    ), object as (
      insert into objects (key, attachment_id, attempt) select ${intent.objectKey}, id, attempt from inserted
    ), history as (
      insert into transitions (attachment_id, attempt, "from", "to", reason, actor)
      select id, attempt, step."from", step."to", ${intent.reason}, ${intent.actor}
      from inserted, (values (1, null, ${first}), (2, ${first}, ${second})) as step(number, "from", "to")
      order by step.number
    )
    select * from inserted`)
  return rowsOf(attachments, rows)[0]
}

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

/** Attempts whose writer has been silent past its lease. */
export async function findExpiredLeases(
  db: Database,
  limit: number,
): Promise<(Attempt & { state: AttachmentState })[]> {
  const rows = await db.execute(sql`
    select * from attachments where lease_expires_at < now() and deleted_at is null order by lease_expires_at limit ${limit}`)
  return rowsOf(attachments, rows).map(({ id, attempt, state }) => ({ id, attempt, state }))
}
