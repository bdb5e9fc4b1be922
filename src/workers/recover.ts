import { claimExpired } from '../db/leases.ts'
import { type Attachment, move, StateConflict } from '../db/transitions.ts'
import type { Deps } from '../deps.ts'
import { StowageError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import { verifyAgain } from '../lifecycle/verify-again.ts'

const batch = 50

type RecoverDeps = Pick<Deps, 'db' | 'store' | 'config' | 'log' | 'purgeSoon'>

/**
 * Ends the attempts whose writer has been silent for a whole lease: it is dead, or cut off from the database. Those whose
 * bytes were still arriving fail; those whose bytes are all there are verified once more. Each is claimed by one replica,
 * and should the writer live after all, compare-and-set lets one of the two win.
 * @returns true when there may be more at once
 */
export async function recover(deps: RecoverDeps, signal: AbortSignal): Promise<boolean> {
  const expired = await claimExpired(deps.db, batch, deps.config.uploadLeaseSeconds / 2)
  if (expired.length > 0) failpoint('after-claim')
  const isArriving = ({ state }: Attachment) => state === 'UploadFromClientToServerInProgress'
  const stored = expired.filter((attachment) => !isArriving(attachment))
  const results = await Promise.allSettled([
    ...expired.filter(isArriving).map((attachment) => failAbandoned(deps, attachment)),
    ...oneOfEachRequest(stored).map((attachment) => verifyAgain(deps, attachment, signal)),
  ])
  if (expired.length > 0) deps.purgeSoon()
  for (const { reason } of results.filter((result) => result.status === 'rejected')) tellOrThrow(deps, reason)
  return expired.length === batch
}

async function failAbandoned({ db }: RecoverDeps, { id, attempt }: Attachment): Promise<void> {
  await move(db, [{ id, attempt }], {
    from: 'UploadFromClientToServerInProgress',
    to: 'UploadFromClientToServerFailed',
    reason: 'The server that took the file stopped before it was finished. Send it again.',
    actor: 'recovery',
  })
}

/** That an attempt ended otherwise meanwhile is as it should be; that the store holds other bytes is worth a line. */
function tellOrThrow({ log }: RecoverDeps, error: unknown): void {
  if (!(error instanceof StowageError)) throw error
  if (!(error instanceof StateConflict)) log.warn({ err: error }, 'recovery failed an upload')
}

/** The files of a request are verified together, whichever of them is found. */
function oneOfEachRequest(files: readonly Attachment[]): Attachment[] {
  return [...new Map(files.map((file) => [file.requestId ?? file.id, file])).values()]
}
