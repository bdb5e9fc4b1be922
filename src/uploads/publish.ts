import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { failpoint } from '#failpoints.ts'
import { transitionWithRetry } from '#persistence/transition-with-retry.ts'
import { type Attachment, type Attempt, type TransitionOptions, transition } from '#persistence/transitions.ts'
import type { Lease } from './lease.ts'

/** A file in verification, and whether the store holds what was sent. */
export interface Verified {
  attempt: Attempt
  isWhole: boolean
}

/** Who moves files to Ready. A worker has no credential: the request is over, and only the uploader's place counts. */
export type Mover = Pick<TransitionOptions, 'actor' | 'credential'>

const from = 'ChecksumVerificationOnServerSideInProgress'

/** Why a file is verified, and why it is Ready, in the words of its history. */
export const lastByteStored = 'The last byte was stored.'
export const asSent = 'Size and checksum are as sent.'

/** The store holds other bytes than were sent to it. Every file of the request has failed. */
export class NotStoredAsSent extends StowageError {
  constructor() {
    super('storage_unavailable', 'The file was not stored as it was sent. Send it again.')
    this.name = 'NotStoredAsSent'
  }
}

export const otherFileFailed = 'Another file of the same request was not stored as it was sent. Send all of them again.'

/**
 * Step 4: the files of a request leave verification: all of them to Ready in one statement, or none.
 * @param lease aborts when the files are the caller's no more
 * @returns the attachments, Ready
 * @throws NotStoredAsSent when one is not whole; StateConflict when one was moved or deleted meanwhile; CredentialEnded,
 *   PlaceLost
 */
export async function settle(
  deps: Pick<AppContext, 'db' | 'log'>,
  files: readonly Verified[],
  by: Mover,
  lease: Pick<Lease, 'signal' | 'seconds'>,
): Promise<Attachment[]> {
  const { db } = deps
  const attemptsThat = (areWhole: boolean) =>
    files.filter(({ isWhole }) => isWhole === areWhole).map((file) => file.attempt)
  const broken = attemptsThat(false)
  if (broken.length === 0) {
    failpoint('before-publish')
    const to = 'ReadyForDownloadFromServerToClient'
    const published = await transitionWithRetry(deps, attemptsThat(true), { from, to, reason: asSent, ...by }, lease)
    failpoint('after-publish')
    return published
  }
  await transition(db, attemptsThat(true), {
    ...{ from, to: 'ChecksumVerificationOnServerSideFailed', actor: by.actor },
    reason: otherFileFailed,
  })
  const error = new NotStoredAsSent()
  const to = 'ChecksumVerificationOnServerSideMismatch'
  await transition(db, broken, { from, to, reason: error.message, actor: by.actor })
  throw error
}
