import type { AppContext } from '#app-context.ts'
import { StowageError } from '#domain/errors.ts'
import { leasedStates } from '#domain/states.ts'
import { failpoint } from '#failpoints.ts'
import type { Database } from '#persistence/connection/client.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import type { Attempt } from '#persistence/schema.ts'
import { StateConflict, type TransitionOptions, type TransitionPatch, transition } from '#persistence/transitions.ts'
import { lastByteStored, measurementOf, type UploadAttempt } from './attempt.ts'
import { ChecksumMismatch, isAsDeclared } from './verify.ts'

type LeasedState = (typeof leasedStates)[number]

export interface Failure {
  /** The client reads it as `failureReason`. */
  reason: string
  /** Who: `user:1`, or the worker's name. */
  actor: string
  /** The only states to fail the attempt in; every state with a writer at work unless given. */
  from?: readonly LeasedState[]
  /** The bytes are not the declared or sent ones, rather than missing or undecided. */
  isMismatch?: boolean
}

/**
 * Fails one attempt and hands its bytes to the purge. An attempt that has ended otherwise, or was deleted, stays as it is.
 * @param attempt with the measured size and checksum, where the failure is a mismatch of bytes that have just arrived
 * @throws what the database fails with
 */
export async function failAttempt(
  db: Database,
  attempt: Attempt & TransitionPatch,
  { reason, actor, from = leasedStates, isMismatch = false }: Failure,
): Promise<void> {
  failpoint('before-fail')
  for (const state of from) {
    try {
      await transition(db, [attempt], { from: state, ...wayToFail(state, isMismatch), reason, actor })
      failpoint('after-fail')
      return
    } catch (error) {
      if (!(error instanceof StateConflict)) throw error
    }
  }
}

/** A mismatch of a file that is still uploading passes through verification in one statement: a crash must not leave it there. */
function wayToFail(from: LeasedState, isMismatch: boolean): Pick<TransitionOptions, 'via' | 'to'> {
  const isUploading = from === 'UploadFromClientToServerInProgress'
  if (!isMismatch)
    return { to: isUploading ? 'UploadFromClientToServerFailed' : 'ChecksumVerificationOnServerSideFailed' }
  const via = { state: 'ChecksumVerificationOnServerSideInProgress', reason: lastByteStored } as const
  return { ...(isUploading && { via }), to: 'ChecksumVerificationOnServerSideMismatch' }
}

/**
 * Fails every file of a request. Never throws: recovery fails the files that the database does not let be failed here, when their
 * lease is over.
 */
export async function failUpload(
  { db, log, wakePurge }: Pick<AppContext, 'db' | 'log' | 'wakePurge'>,
  files: readonly UploadAttempt[],
  error: unknown,
  actor: string,
): Promise<void> {
  const reason = error instanceof StowageError ? error.reason : 'The server failed while the file arrived.'
  for (const file of files) {
    const isMismatch = error instanceof ChecksumMismatch && file.ingested !== undefined && !isAsDeclared(file)
    try {
      if (isMismatch) await failAttempt(db, measurementOf(file), { reason, actor, isMismatch })
      else await failAttempt(db, file.attempt, { reason, actor })
    } catch (cause) {
      log.warn({ err: cause, attachmentId: file.attempt.id }, 'left to the recovery')
      // The client waits for its answer, which must not take another time-out for each of a thousand files.
      if (isDatabaseUnavailable(cause)) break
    }
  }
  if (files.length > 0) wakePurge()
}
