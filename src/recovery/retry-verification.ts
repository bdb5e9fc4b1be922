import type { AppContext } from '#app-context.ts'
import { claimExpired } from '#persistence/leases.ts'
import type { Attachment } from '#persistence/schema.ts'
import { StateConflict } from '#persistence/transitions.ts'
import { NotStoredAsSent, VerificationUndecided } from '#uploads/verify.ts'
import { type ReverifyContext, reverify } from './reverify.ts'

/** Files claimed per run. The time of a run grows with their sizes, because they are read back whole. */
const batch = 10

type RetryContext = ReverifyContext & Pick<AppContext, 'wakePurge'>

/**
 * Verifies the files left in verification by a server that died, or by a store that did not respond. Recovery is a separate worker,
 * because it must not wait while a large file is read.
 * @param signal aborts when the server stops
 * @returns true when more files may be left
 * @throws VerificationUndecided when the store responded for none of the files, so an immediate run would fail too
 */
export async function retryVerification(context: RetryContext, signal: AbortSignal): Promise<boolean> {
  const { db, config } = context
  const left = await claimExpired(
    db,
    'ChecksumVerificationOnServerSideInProgress',
    batch,
    config.uploadLeaseSeconds / 2,
  )
  if (left.length === 0) return false
  const results = await Promise.allSettled(oneOfEachRequest(left).map((file) => reverify(context, file, signal)))
  context.wakePurge()
  const failures = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown)
  for (const failure of failures) logOrThrow(context, failure)
  const undecided = failures.filter((failure) => failure instanceof VerificationUndecided)
  if (undecided.length === results.length) throw undecided[0]
  return left.length === batch
}

/** One file of each request. All files of a request are verified together. */
function oneOfEachRequest(files: readonly Attachment[]): Attachment[] {
  return [...new Map(files.map((file) => [file.requestId ?? file.id, file])).values()]
}

/** Another worker may have settled the file first, which is expected. A mismatch and a store that does not respond are logged. */
function logOrThrow({ log }: RetryContext, error: unknown): void {
  if (error instanceof StateConflict) return
  if (error instanceof VerificationUndecided) log.warn({ err: error }, 'not verified yet')
  else if (error instanceof NotStoredAsSent)
    log.warn({ err: error }, 'a file that was left in verification is not whole')
  else throw error
}
