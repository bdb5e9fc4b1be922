import type { AppContext } from '#app-context.ts'
import { claimExpired } from '#persistence/leases.ts'
import type { Attachment } from '#persistence/schema.ts'
import { StateConflict } from '#persistence/transitions.ts'
import { NotStoredAsSent, VerificationUndecided } from '#uploads/verify.ts'
import { type ReverifyContext, reverify } from './reverify.ts'

/** How many are read back at once: each takes as long as its file is large. */
const batch = 10

type RetryContext = ReverifyContext & Pick<AppContext, 'wakePurge'>

/**
 * Verifies the files that were left in verification: their server died, or the store did not answer it. Apart from the
 * recovery, which must not wait while a large file is read.
 * @param signal aborts when the server stops
 * @returns true when there may be more at once
 * @throws VerificationUndecided when the store answered for none of them: another run at once would ask in vain
 */
export async function retryVerification(deps: RetryContext, signal: AbortSignal): Promise<boolean> {
  const { db, config } = deps
  const left = await claimExpired(
    db,
    'ChecksumVerificationOnServerSideInProgress',
    batch,
    config.uploadLeaseSeconds / 2,
  )
  if (left.length === 0) return false
  const results = await Promise.allSettled(oneOfEachRequest(left).map((one) => reverify(deps, one, signal)))
  deps.wakePurge()
  const failures = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown)
  for (const failure of failures) tellOrThrow(deps, failure)
  const undecided = failures.filter((failure) => failure instanceof VerificationUndecided)
  if (undecided.length === results.length) throw undecided[0]
  return left.length === batch
}

/** The files of a request are verified together, whichever of them is found. */
function oneOfEachRequest(files: readonly Attachment[]): Attachment[] {
  return [...new Map(files.map((file) => [file.requestId ?? file.id, file])).values()]
}

/** That a file has ended otherwise meanwhile is as it should be; what the store holds, or does not tell, is worth a line. */
function tellOrThrow({ log }: RetryContext, error: unknown): void {
  if (error instanceof StateConflict) return
  if (error instanceof VerificationUndecided) log.warn({ err: error }, 'not verified yet')
  else if (error instanceof NotStoredAsSent)
    log.warn({ err: error }, 'a file that was left in verification is not whole')
  else throw error
}
