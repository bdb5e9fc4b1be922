import { type InferSelectModel, type SQL, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import { newPublicId } from '#domain/ids.ts'
import { type AttachmentState, isFailed, isLeased, legalMoves, readyState } from '#domain/states.ts'
import { type Database, rowsOf } from '#persistence/connection/client.ts'
import { isAtAttachmentLimit, isAtReservationLimit } from './caps.ts'
import { type Credential, findRefusal, publishPermission } from './publish-permission.ts'
import { attachments } from './schema.ts'

export type Attachment = InferSelectModel<typeof attachments>

const uploading = 'UploadFromClientToServerInProgress' satisfies AttachmentState

/** One try to bring the bytes of one attachment in. */
export interface Attempt {
  id: number
  attempt: number
}

/** What a transition writes down besides the state: what was measured, or what the client changes along with it. */
export interface TransitionPatch {
  fileSize?: number | undefined
  fileChecksum?: string | undefined
  declaredChecksum?: string | undefined
  fileName?: string | undefined
}

export interface TransitionOptions {
  from: AttachmentState
  /** A state that is passed through, because what is done there has been done already. It has its row of history. */
  via?: { state: AttachmentState; reason: string }
  to: AttachmentState
  /** Why, in words; in a failed state the client reads it as `failureReason`. */
  reason: string
  /** Who: `user:1`, or the worker's name. */
  actor: string
  /** How long the writer may be silent after this transition; needed when `to` is a state with a writer at work. */
  leaseSeconds?: number
  /** Of the request that ends by this transition; it must still count for a file to become Ready. */
  credential?: Credential | undefined
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
 * row of history each, in one statement. Reaching a failed state hands the bytes of the attempt to the purge. Nothing becomes
 * Ready whose uploader could not begin it now.
 * @returns the rows as they are now, in the order of `attempts`
 * @throws StateConflict when one of them is elsewhere by now, or deleted; CredentialEnded, PlaceLost
 */
export async function transition(
  db: Database,
  attempts: readonly (Attempt & TransitionPatch)[],
  { from, via, to, reason, actor, leaseSeconds, credential }: TransitionOptions,
): Promise<Attachment[]> {
  const steps = via
    ? [
        { from, to: via.state, reason: via.reason },
        { from: via.state, to, reason },
      ]
    : [{ from, to, reason }]
  for (const step of steps) requireEdge(step.from, step.to)
  if (isLeased(to) && leaseSeconds === undefined) throw new Error(`A lease is needed in ${to}`)
  const failed = isFailed(to)
  const allowed =
    to === readyState
      ? sql`${publishPermission(credential)}, allowed as (select id from placed where exists (select from vouched))`
      : sql`allowed as (select id from locked)`
  const lease = isLeased(to) ? sql`now() + make_interval(secs => ${leaseSeconds})` : sql`null`
  const rows = await db.execute(sql`
    with wanted as (
      select * from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb)
        as w(id bigint, attempt integer, "fileSize" bigint, "fileChecksum" text, "declaredChecksum" text, "fileName" text)
    ), locked as (
      select a.id, a.message_id, a.uploader_id from attachments a join wanted w on a.id = w.id and a.attempt = w.attempt
      where a.state = ${from} and a.deleted_at is null
      order by a.id for update of a
    ), ${allowed}, moved as (
      update attachments a set
        state = ${to},
        modified_at = now(),
        lease_expires_at = ${lease},
        failure_reason = ${failed ? reason : null},
        ready_position = ${to === readyState ? sql`nextval('ready_positions')` : sql`a.ready_position`},
        file_size = coalesce(w."fileSize", a.file_size),
        file_checksum = coalesce(w."fileChecksum", a.file_checksum),
        declared_checksum = coalesce(w."declaredChecksum", a.declared_checksum),
        file_name = coalesce(w."fileName", a.file_name)
      from wanted w
      where a.id = w.id and a.id in (select id from allowed)
        and (select count(*) from allowed) = (select count(*) from wanted)
      returning a.*
    ), history as (
      insert into transitions (attachment_id, attempt, "from", "to", reason, actor)
      select id, attempt, step."from", step."to", step.reason, ${actor}
      from moved, rows from (
        jsonb_to_recordset(${JSON.stringify(steps)}::text::jsonb) as ("from" text, "to" text, reason text)
      ) with ordinality as step("from", "to", reason, number)
      order by id, step.number
    ), purged as (
      update objects o set purge_at = now() from moved
      where ${failed} and o.attachment_id = moved.id and o.attempt = moved.attempt
    )
    select * from moved`)
  if (rows.length !== attempts.length) {
    const refusal = to === readyState ? await findRefusal(db, attempts, from, credential) : undefined
    throw refusal ?? new StateConflict(from, to)
  }
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
  /** Bytes, when the client said so. */
  declaredSize?: number | undefined
  /** Lower-case hex, when the client said so. */
  declaredChecksum?: string | undefined
  /** How many attachments the message may have, this one included; any number unless given. */
  mostOfMessage?: number | undefined
  reason: string
  actor: string
}

/** Where an attempt's bytes will lie, how long its writer may be silent, and which request brings them. */
export interface Writer {
  objectKey: string
  leaseSeconds: number
  requestId: string
}

/**
 * A reservation: the attachment and its first step of history, before any attempt at its bytes.
 * @param mostAwaiting how many attachments of the uploader may await their bytes, this one included; any number unless given
 * @returns `undefined` when the message, its room or the uploader is gone, or the uploader no member of the room, or when
 *   message or uploader have as many already
 */
export function insertReserved(
  db: Database,
  reservation: Reservation & { declaredSize: number },
  mostAwaiting?: number,
): Promise<Attachment | undefined> {
  const { uploaderId } = reservation
  const may = mostAwaiting === undefined ? sql`true` : sql`not ${isAtReservationLimit(uploaderId, mostAwaiting)}`
  return insert(db, reservation, 'Initial', undefined, may)
}

/**
 * The intent: the attachment, the key of its bytes and its first two steps of history, committed before the store hears
 * of the key.
 * @returns `undefined` when the message, its room or the uploader is gone, the uploader no member of the room, or the message
 *   full
 */
export function insertIntent(db: Database, intent: Reservation & Writer): Promise<Attachment | undefined> {
  return insert(db, intent, uploading, intent)
}

/** Waits for a deletion of the message, room or user that is under way, so that no attachment outlives them. */
async function insert(
  db: Database,
  reservation: Reservation,
  state: AttachmentState,
  writer?: Writer,
  may: SQL = sql`true`,
): Promise<Attachment | undefined> {
  const { messageId, declaredSize = null, declaredChecksum = null, mostOfMessage, reason, actor } = reservation
  const hasRoom = mostOfMessage === undefined ? sql`true` : sql`not ${isAtAttachmentLimit(messageId, mostOfMessage)}`
  const rows = await db.execute(sql`
    with place as (
      select m.id, m.room_id, u.id as uploader_id
      from messages m join rooms r on r.id = m.room_id join users u on u.id = ${reservation.uploaderId}
        join members i on i.room_id = r.id and i.user_id = u.id
      where m.id = ${messageId} and m.deleted_at is null and r.deleted_at is null and u.deleted_at is null
        and ${hasRoom} and ${may}
      for share of m, r, u
    ), inserted as (
      insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, declared_size,
        declared_checksum, file_checksum_algorithm, state, attempt, lease_expires_at, request_id)
      select ${newPublicId()}, place.id, place.room_id, place.uploader_id, ${reservation.fileName},
        ${reservation.contentType}, ${declaredSize}::bigint, ${declaredChecksum}, ${reservation.checksumAlgorithm},
        ${state}, ${writer ? 1 : 0}::integer, now() + make_interval(secs => ${writer?.leaseSeconds ?? null}),
        ${writer?.requestId ?? null}
      from place
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

export interface AttemptStart extends Writer {
  /** As it is known when the bytes begin to arrive. */
  contentType: string
  reason: string
  actor: string
}

/**
 * Begins a new attempt at the bytes of an attachment that awaits them, by compare-and-set on (id, state, attempt): its key
 * is committed, what the attempt before measured is forgotten, and the writer holds a lease. One statement.
 * @param seen the attachment as it was read
 * @throws StateConflict when it is elsewhere by now, or deleted
 */
export async function startAttempt(
  db: Database,
  seen: Attempt & { state: AttachmentState },
  { objectKey, leaseSeconds, requestId, contentType, reason, actor }: AttemptStart,
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

/** @throws Error when the state table has no such transition: a fault of ours, not of a client */
function requireEdge(from: AttachmentState, to: AttachmentState): void {
  if (!legalMoves[from].includes(to)) throw new Error(`No edge from ${from} to ${to}`)
}
