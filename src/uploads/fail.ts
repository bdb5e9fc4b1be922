import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { failpoint } from '#failpoints.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import { type Attempt, StateConflict, type TransitionOptions, transition } from '#persistence/transitions.ts'
import { measurementOf, type UploadAttempt } from './attempt.ts'
import { lastByteStored } from './publish.ts'
import { ChecksumMismatch, isAsDeclared } from './verify.ts'

type Way = Pick<TransitionOptions, 'from' | 'to'>

/** Into the failed state, from wherever a writer was at work. */
const waysToFail: Way[] = [
  { from: 'UploadFromClientToServerInProgress', to: 'UploadFromClientToServerFailed' },
  { from: 'ChecksumVerificationOnServerSideInProgress', to: 'ChecksumVerificationOnServerSideFailed' },
]

/**
 * The other end of an upload: every file of the request reaches a failed state and its bytes are handed to the purge.
 * Never throws: what cannot be written down now, because the database is away, the recovery does when the lease is over, and
 * so with every file behind it.
 */
export async function failUpload(
  deps: Pick<AppContext, 'db' | 'log' | 'wakePurge'>,
  files: UploadAttempt[],
  error: unknown,
  actor: string,
): Promise<void> {
  const reason = error instanceof StowageError ? error.reason : 'The server failed while the file arrived.'
  for (const file of files) {
    try {
      if (error instanceof ChecksumMismatch && file.ingested && !isAsDeclared(file))
        await failMismatched(deps, file, reason, actor)
      else await failAttempt(deps, file.attempt, reason, actor)
    } catch (cause) {
      // Deleted meanwhile: nothing is left to fail.
      if (cause instanceof StateConflict) continue
      deps.log.warn({ err: cause, attachmentId: file.attempt.id }, 'left to the recovery')
      // The client waits for its answer: not once more for each of a thousand files.
      if (isDatabaseUnavailable(cause)) break
    }
  }
  if (files.length > 0) deps.wakePurge()
}

/** Fails one attempt, whichever step its writer had reached; one that has ended otherwise meanwhile stays as it is. */
export async function failAttempt(
  { db }: Pick<AppContext, 'db'>,
  { id, attempt }: Attempt,
  reason: string,
  actor: string,
): Promise<void> {
  failpoint('before-fail')
  for (const way of waysToFail) {
    try {
      await transition(db, [{ id, attempt }], { ...way, reason, actor })
      failpoint('after-fail')
      return
    } catch (error) {
      if (!(error instanceof StateConflict)) throw error
    }
  }
}

/** In one statement: left in verification by a crash, the file would look as if it only had to be verified again. */
async function failMismatched(
  { db }: Pick<AppContext, 'db'>,
  file: UploadAttempt,
  reason: string,
  actor: string,
): Promise<void> {
  failpoint('before-fail')
  await transition(db, [measurementOf(file)], {
    from: 'UploadFromClientToServerInProgress',
    via: { state: 'ChecksumVerificationOnServerSideInProgress', reason: lastByteStored },
    to: 'ChecksumVerificationOnServerSideMismatch',
    reason,
    actor,
  })
  failpoint('after-fail')
}
