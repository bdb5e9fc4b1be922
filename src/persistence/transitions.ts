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

/** @throws Error when the state table has no such transition: a fault of ours, not of a client */
export function requireEdge(from: AttachmentState, to: AttachmentState): void {
  if (!legalMoves[from].includes(to)) throw new Error(`No edge from ${from} to ${to}`)
}

/** The lease under which a writer holds its attempts. */
export interface HeldLease {
  /** Aborts when the attempts are no longer the writer's. */
  signal: AbortSignal
  /** How long the writer may be silent. */
  seconds: number
}

/** Milliseconds between two tries. */
const pause = 250

/**
 * Moves attempts whose bytes are stored. While the database does not answer, the transition is tried again for as long as the lease holds,
 * so that an upload of an hour survives a restart of the database. A database that renews leases and moves nothing is given the
 * length of one lease. A try whose answer was lost may have succeeded: when a later try finds its transition done, it counts as done.
 * @param lease aborts when the attempts are the writer's no more
 * @throws StateConflict when somebody else was first; the lease's reason; what the database said last
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
    if (signal.aborted) return await findUnleased(db, attempts, options, signal.reason)
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

/** The attempts after a lost lease: those that were moved have no lease either. @throws `reason` when they were not moved, or the database does not say */
async function findUnleased(
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

/** @throws `otherwise` when they were not moved */
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

/** The attachments whose latest attempt is among the attempts, in this state and not deleted, in the order given. */
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
