import { type InferSelectModel, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import type { Credential } from '#domain/principal.ts'
import { type AttachmentState, isFailed, isLeased, legalMoves, readyState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { findRefusal, publishPermission } from './publish-permission.ts'
import { attachments } from './schema.ts'
import { rowsOf } from './statements.ts'

export type Attachment = InferSelectModel<typeof attachments>

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

/** @throws Error when the state table has no such transition: a fault of ours, not of a client */
export function requireEdge(from: AttachmentState, to: AttachmentState): void {
  if (!legalMoves[from].includes(to)) throw new Error(`No edge from ${from} to ${to}`)
}
