import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import type { Logger } from '#domain/logger.ts'
import type { Credential } from '#domain/principal.ts'
import { type AttachmentState, isFailed, isLeased, legalMoves, readyState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import { findRefusal, publishPermission } from './publish-permission.ts'
import { type Attachment, type Attempt, attachments } from './schema.ts'
import { rowsOf } from './statements.ts'

/** The values that a transition stores besides the state: measurements, or changes by the client. */
export interface TransitionPatch {
  fileSize?: number | undefined
  fileChecksum?: string | undefined
  declaredChecksum?: string | undefined
  fileName?: string | undefined
}

export interface TransitionOptions {
  from: AttachmentState
  /** An intermediate state whose work is already done. It gets its own row of history. */
  via?: { state: AttachmentState; reason: string }
  to: AttachmentState
  /** The reason in words. In a failed state the client reads it as `failureReason`. */
  reason: string
  /** `user:1`, or the worker's name. */
  actor: string
  /** Seconds until the lease expires unless renewed. Required when `to` is a state with an active writer. */
  leaseSeconds?: number
  /** The credential of the request that ends with this transition. A file becomes Ready only while it is live. */
  credential?: Credential | undefined
  /** Moves those of the attempts that are in `from`, instead of all or none. */
  isPartial?: boolean
}

/** Another request or worker moved or deleted one of the attachments first. No row was changed. */
export class StateConflict extends StowageError {
  constructor(from: AttachmentState, to: AttachmentState) {
    super('conflict', `The attachment is no longer in state ${from}, so it cannot move to ${to}. Read it again.`)
    this.name = 'StateConflict'
  }
}

/**
 * Moves attachments from one state to another by compare-and-set on (id, state, attempt), in one statement: all or none,
 * unless `isPartial`. Each step adds one row of history. A failed state schedules the object of the attempt for purge. An
 * attachment becomes Ready only if its uploader could begin the upload now.
 * @returns the updated rows, in the order of `attempts`
 * @throws StateConflict when one of them has another state or attempt, or is deleted; CredentialEnded; DestinationGone
 */
export async function transition(
  db: Database,
  attempts: readonly (Attempt & TransitionPatch)[],
  { from, via, to, reason, actor, leaseSeconds, credential, isPartial = false }: TransitionOptions,
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
      ? sql`${publishPermission(credential)}, allowed as (
          select id from permitted where exists (select from live_credential)
        )`
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
        and (${isPartial} or (select count(*) from allowed) = (select count(*) from wanted))
      returning a.*
    ), history as (
      insert into transitions (attachment_id, attempt, "from", "to", reason, actor)
      select id, attempt, step."from", step."to", step.reason, ${actor}
      from moved, rows from (
        jsonb_to_recordset(${JSON.stringify(steps)}::text::jsonb) as ("from" text, "to" text, reason text)
      ) with ordinality as step("from", "to", reason, number)
      order by id, step.number
    ), scheduled as (
      update objects o set purge_at = now() from moved
      where ${failed} and o.attachment_id = moved.id and o.attempt = moved.attempt
    )
    select * from moved`)
  if (!isPartial && rows.length !== attempts.length) {
    const refusal = to === readyState ? await findRefusal(db, attempts, from, credential) : undefined
    throw refusal ?? new StateConflict(from, to)
  }
  const moved = new Map(rowsOf(attachments, rows).map((row) => [row.id, row]))
  return attempts.flatMap(({ id }) => moved.get(id) ?? [])
}

/** @throws Error when the state table has no such transition, which is a fault of the server */
export function requireEdge(from: AttachmentState, to: AttachmentState): void {
  if (!legalMoves[from].includes(to)) throw new Error(`No edge from ${from} to ${to}`)
}

/** A writer's lease on its attempts. */
export interface HeldLease {
  /** Aborts when the writer loses its attempts. */
  signal: AbortSignal
  /** Seconds for which the writer may be silent. */
  seconds: number
}

/** Milliseconds between two tries. */
const pause = 250

/**
 * Moves attempts whose bytes are stored. While the database is unavailable, the transition is retried for as long as the
 * lease holds, so that an upload of an hour survives a restart of the database. If the database renews leases but moves
 * no attempt, the retries end after the length of one lease. A try without a response may have succeeded: when a later try
 * finds the transition done, it counts as done.
 * @throws StateConflict when another request or worker was first; the signal's reason; the last database error
 */
export async function transitionWithRetry(
  { db, log }: { db: Database; log: Logger },
  attempts: readonly (Attempt & TransitionPatch)[],
  options: TransitionOptions,
  { signal, seconds }: HeldLease,
): Promise<Attachment[]> {
  let end: number | undefined
  while (true) {
    try {
      return await (end === undefined ? transition(db, attempts, options) : transitionOrFind(db, attempts, options))
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error
      if (end === undefined) log.warn({ err: error, attempts: idsOf(attempts), to: options.to }, 'not moved yet')
      end ??= performance.now() + seconds * 1000
      if (performance.now() + pause > end) throw error
    }
    await delay(pause)
    if (signal.aborted) return await findAfterLostLease(db, attempts, options, signal.reason)
  }
}

function idsOf(attempts: readonly Attempt[]): Attempt[] {
  return attempts.map(({ id, attempt }) => ({ id, attempt }))
}

async function transitionOrFind(
  db: Database,
  attempts: readonly (Attempt & TransitionPatch)[],
  options: TransitionOptions,
): Promise<Attachment[]> {
  try {
    return await transition(db, attempts, options)
  } catch (error) {
    if (!(error instanceof StateConflict)) throw error
    return await findTransitioned(db, attempts, options, error)
  }
}

/**
 * The attempts after a lost lease, if they were moved. A moved attempt has no lease either.
 * @throws `reason` when they were not moved, or the database does not respond
 */
async function findAfterLostLease(
  db: Database,
  attempts: readonly Attempt[],
  options: TransitionOptions,
  reason: unknown,
): Promise<Attachment[]> {
  try {
    return await findTransitioned(db, attempts, options, reason)
  } catch {
    throw reason
  }
}

/** @throws `otherwise` when an attempt was not moved */
async function findTransitioned(
  db: Database,
  attempts: readonly Attempt[],
  { to }: TransitionOptions,
  otherwise: unknown,
): Promise<Attachment[]> {
  const found = await findInState(db, attempts, to)
  if (found.length !== attempts.length) throw otherwise
  return found
}

/** The attachments in `state`, not deleted, whose latest attempt is among `attempts`, in the order of `attempts`. */
export async function findInState(
  db: Database,
  attempts: readonly Attempt[],
  state: AttachmentState,
): Promise<Attachment[]> {
  const rows = await db.execute(sql`
    select a.* from rows from (
      jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as (id bigint, attempt integer)
    ) with ordinality as w(id, attempt, number)
    join attachments a on a.id = w.id and a.attempt = w.attempt
    where a.state = ${state} and a.deleted_at is null
    order by w.number`)
  return rowsOf(attachments, rows)
}
