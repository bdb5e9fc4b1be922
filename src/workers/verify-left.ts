import { claimExpired } from '../db/leases.ts'
import { type Attachment, StateConflict } from '../db/transitions.ts'
import type { Deps } from '../deps.ts'
import { NotStoredAsSent } from '../lifecycle/settle.ts'
import { verifyAgain } from '../lifecycle/verify-again.ts'

/** How many are read back at once: each takes as long as its file is large. */
const batch = 10

type VerifyDeps = Pick<Deps, 'db' | 'store' | 'config' | 'log' | 'purgeSoon'>

/**
 * Verifies the files that were left in verification: their server died, or the store did not answer it. Apart from the
 * recovery, which must not wait while a large file is read.
 * @param signal aborts when the server stops
 * @returns true when there may be more at once
 */
export async function verifyLeft(deps: VerifyDeps, signal: AbortSignal): Promise<boolean> {
  const { db, config } = deps
  const left = await claimExpired(
    db,
    'ChecksumVerificationOnServerSideInProgress',
    batch,
    config.uploadLeaseSeconds / 2,
  )
  if (left.length === 0) return false
  const results = await Promise.allSettled(oneOfEachRequest(left).map((one) => verifyAgain(deps, one, signal)))
  deps.purgeSoon()
  for (const result of results) if (result.status === 'rejected') tellOrThrow(deps, result.reason)
  return left.length === batch
}

/** The files of a request are verified together, whichever of them is found. */
function oneOfEachRequest(files: readonly Attachment[]): Attachment[] {
  return [...new Map(files.map((file) => [file.requestId ?? file.id, file])).values()]
}

/** That a file has ended otherwise meanwhile is as it should be; that the store holds other bytes is worth a line. */
function tellOrThrow({ log }: VerifyDeps, error: unknown): void {
  if (error instanceof StateConflict) return
  if (!(error instanceof NotStoredAsSent)) throw error
  log.warn({ err: error }, 'a file that was left in verification is not whole')
}
