import { setTimeout as delay } from 'node:timers/promises'
import { findInState } from '../db/attachments.ts'
import type { Database } from '../db/client.ts'
import { isDatabaseUnavailable } from '../db/errors.ts'
import { type Attachment, type Attempt, type MoveOptions, move, type Noted, StateConflict } from '../db/transitions.ts'

/** Milliseconds between two tries. */
const pause = 250

/**
 * Moves attempts whose bytes are stored, and tries again for as long as the lease holds while the database does not answer:
 * an upload of an hour is not to be lost to a database that restarts. A try whose answer was lost may have succeeded, so
 * one that comes too late for what it did itself counts as done.
 * @param lease aborts when the attempts are the writer's no more
 * @throws StateConflict when somebody else was first; the lease's reason
 */
export async function moveSurely(
  db: Database,
  attempts: readonly (Attempt & Noted)[],
  options: MoveOptions,
  lease: AbortSignal,
): Promise<Attachment[]> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await move(db, attempts, options)
    } catch (error) {
      if (!isFirst && error instanceof StateConflict) return await asMoved(db, attempts, options, error)
      if (!isDatabaseUnavailable(error)) throw error
    }
    await delay(pause)
    lease.throwIfAborted()
  }
}

async function asMoved(
  db: Database,
  attempts: readonly Attempt[],
  { to }: MoveOptions,
  conflict: StateConflict,
): Promise<Attachment[]> {
  const found = await findInState(db, attempts, to)
  if (found.length !== attempts.length) throw conflict
  return found
}
