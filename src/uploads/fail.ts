import type { AppContext } from '#app-context.ts'
import { StowageError } from '#domain/errors.ts'
import { leasedStates } from '#domain/states.ts'
import { failpoint } from '#failpoints.ts'
import type { Database } from '#persistence/connection/client.ts'
import type { Attempt } from '#persistence/schema.ts'
import { type TransitionOptions, type TransitionPatch, transition } from '#persistence/transitions.ts'
import { lastByteStored, measurementOf, type UploadAttempt } from './attempt.ts'
import { ChecksumMismatch, isAsDeclared } from './verify.ts'

type LeasedState = (typeof leasedStates)[number]

export interface Failure {
  /** Shown to the client as `failureReason`. */
  reason: string
  /** `user:1`, or the name of a worker. */
  actor: string
  /** The states from which an attempt may fail. Default: every state with an active writer. */
  from?: readonly LeasedState[]
  /** True when the bytes differ from the declared or sent bytes; false when they are missing or undecided. */
  isMismatch?: boolean
}

/**
 * Fails attempts and hands their bytes to the purge. An attempt that has ended or was deleted stays unchanged.
 * @param attempts include the measured size and checksum when bytes that have just arrived do not match
 * @throws the error of the database
 */
export async function failAttempts(
  db: Database,
  attempts: readonly (Attempt & TransitionPatch)[],
  { reason, actor, from = leasedStates, isMismatch = false }: Failure,
): Promise<void> {
  if (attempts.length === 0) return
  failpoint('before-fail')
  let active = attempts
  for (const state of from) {
    if (active.length === 0) break
    const options = { from: state, ...failureTransition(state, isMismatch), reason, actor, isPartial: true }
    const failed = new Set((await transition(db, active, options)).map(({ id }) => id))
    active = active.filter(({ id }) => !failed.has(id))
  }
  if (active.length < attempts.length) failpoint('after-fail')
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
  if (files.length === 0) return
  const reason = error instanceof StowageError ? error.reason : 'The server failed while the file arrived.'
  const isMismatched = (file: UploadAttempt) =>
    error instanceof ChecksumMismatch && file.ingested !== undefined && !isAsDeclared(file)
  const mismatched = files.filter(isMismatched).map(measurementOf)
  const attempts = files.filter((file) => !isMismatched(file)).map(({ attempt }) => attempt)
  try {
    await failAttempts(db, mismatched, { reason, actor, isMismatch: true })
    await failAttempts(db, attempts, { reason, actor })
  } catch (cause) {
    log.warn({ err: cause, attempts: files.map(({ attempt }) => attempt) }, 'left to the recovery')
  }
  wakePurge()
}
