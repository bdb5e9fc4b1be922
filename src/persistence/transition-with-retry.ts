import { setTimeout as delay } from 'node:timers/promises'
import type { AppContext } from '#app-context.ts'
import type { Database } from '#persistence/connection/client.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import type { Lease } from '#uploads/lease.ts'
import { findInState } from './attachments.ts'
import {
  type Attachment,
  type Attempt,
  StateConflict,
  type TransitionOptions,
  type TransitionPatch,
  transition,
} from './transitions.ts'

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
  { db, log }: Pick<AppContext, 'db' | 'log'>,
  attempts: readonly (Attempt & TransitionPatch)[],
  options: TransitionOptions,
  { signal, seconds }: Pick<Lease, 'signal' | 'seconds'>,
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
