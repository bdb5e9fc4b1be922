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
  /** Shown to the client as `failureReason`. */
  reason: string
  /** `user:1`, or the name of a worker. */
  actor: string
  /** The states from which the attempt may fail. Default: every state with an active writer. */
  from?: readonly LeasedState[]
  /** True when the bytes differ from the declared or sent bytes; false when they are missing or undecided. */
  isMismatch?: boolean
}

/**
 * Fails one attempt and hands its bytes to the purge. An attempt that has ended or was deleted stays unchanged.
 * @param attempt includes the measured size and checksum when bytes that have just arrived do not match
 * @throws the error of the database
 */
export async function failAttempt(
  db: Database,
  attempt: Attempt & TransitionPatch,
  { reason, actor, from = leasedStates, isMismatch = false }: Failure,
): Promise<void> {
  failpoint('before-fail')
  for (const state of from) {
    try {
      await transition(db, [attempt], { from: state, ...failureTransition(state, isMismatch), reason, actor })
      failpoint('after-fail')
      return
    } catch (error) {
      if (!(error instanceof StateConflict)) throw error
    }
  }
}

/** A mismatch during the upload passes through verification in the same statement, so a crash cannot leave the file there. */
function failureTransition(from: LeasedState, isMismatch: boolean): Pick<TransitionOptions, 'via' | 'to'> {
  const isUploading = from === 'UploadFromClientToServerInProgress'
  if (!isMismatch)
    return { to: isUploading ? 'UploadFromClientToServerFailed' : 'ChecksumVerificationOnServerSideFailed' }
  const via = { state: 'ChecksumVerificationOnServerSideInProgress', reason: lastByteStored } as const
  return { ...(isUploading && { via }), to: 'ChecksumVerificationOnServerSideMismatch' }
}

/**
 * Fails every file of a request. The promise never rejects: if the database refuses the transition, recovery fails the file when its
 * lease expires.
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
      // The client waits for the response, which must not take one time-out for each of a thousand files.
      if (isDatabaseUnavailable(cause)) break
    }
  }
  if (files.length > 0) wakePurge()
}
