import type { AppContext } from '#app-context.ts'
import { failpoint } from '#failpoints.ts'
import type { Attachment, Attempt } from '#persistence/schema.ts'
import {
  type HeldLease,
  type TransitionOptions,
  type TransitionPatch,
  transitionWithRetry,
} from '#persistence/transitions.ts'
import { ingestedOf, lastByteStored, measurementOf, type UploadAttempt } from './attempt.ts'
import { failAttempt } from './fail.ts'
import { isStoredAsSent, NotStoredAsSent, verifyDeclared } from './verify.ts'

const uploading = 'UploadFromClientToServerInProgress'
const verifying = 'ChecksumVerificationOnServerSideInProgress'

/** The reason in the history of a file that becomes Ready. */
const asSent = 'Size and checksum are as sent.'

/** The reason in the history of a file whose sibling failed. */
export const siblingFailed = 'Another file of the same request was not stored as it was sent. Send all of them again.'

/** A file in verification, and whether the store holds the bytes that were sent. */
export interface Verified {
  attempt: Attempt
  isWhole: boolean
}

/** Who publishes. A worker has no credential: the request is over, and only the uploader's membership counts. */
export type Publisher = Pick<TransitionOptions, 'actor' | 'credential'>

type PublishContext = Pick<AppContext, 'db' | 'log'>

/**
 * Steps 3 and 4, from the last byte of the last file to Ready. An answer of the store that names the checksum needs no second look at
 * the object, so the passage through verification is one statement then. Otherwise it takes one statement in and one out.
 * @returns the attachments, Ready
 * @throws ChecksumMismatch; VerificationUndecided when the store does not answer; as {@link publishVerified} does
 */
export async function verifyAndPublish(
  context: PublishContext & Pick<AppContext, 'store'>,
  files: readonly UploadAttempt[],
  { actor, credential }: Publisher,
  lease: HeldLease,
): Promise<Attachment[]> {
  for (const file of files) verifyDeclared(file)
  const measured = files.map(measurementOf)
  if (files.every((file) => ingestedOf(file).stored.isConfirmed))
    return await publish(context, measured, { from: uploading, reason: asSent, actor, credential }, lease)
  failpoint('before-verify')
  const intoVerification = { from: uploading, to: verifying, reason: lastByteStored, actor } as const
  await transitionWithRetry(context, measured, { ...intoVerification, leaseSeconds: lease.seconds }, lease)
  failpoint('after-verify')
  const verified = files.map(async (file) => ({
    attempt: file.attempt,
    isWhole: await isStoredAsSent(context.store, file),
  }))
  return await publishVerified(context, await Promise.all(verified), { actor, credential }, lease)
}

/**
 * Step 4: the files of a request leave verification: all of them become Ready in one statement, or all of them fail.
 * @returns the attachments, Ready
 * @throws NotStoredAsSent when one of the files is not whole; as {@link publish} does
 */
export async function publishVerified(
  context: PublishContext,
  files: readonly Verified[],
  by: Publisher,
  lease: HeldLease,
): Promise<Attachment[]> {
  if (files.every(({ isWhole }) => isWhole)) {
    const attempts = files.map(({ attempt }) => attempt)
    return await publish(context, attempts, { from: verifying, reason: asSent, ...by }, lease)
  }
  const error = new NotStoredAsSent()
  // The whole ones first: their failure says that another one failed, wherever a crash interrupts this.
  for (const { attempt, isWhole } of files.toSorted((a, b) => Number(b.isWhole) - Number(a.isWhole)))
    await failAttempt(context.db, attempt, {
      from: [verifying],
      isMismatch: !isWhole,
      reason: isWhole ? siblingFailed : error.message,
      actor: by.actor,
    })
  throw error
}

/** The states from which files become Ready. From the first one they pass through verification in the same statement. */
type PublishOptions = Publisher & { from: typeof uploading | typeof verifying; reason: string }

/**
 * Makes files Ready, all of them or none. Nothing else does.
 * @param lease its signal aborts when the files are no longer the caller's
 * @throws StateConflict when one was moved or deleted meanwhile; CredentialEnded, DestinationGone; the lease's reason
 */
export async function publish(
  context: PublishContext,
  files: readonly (Attempt & TransitionPatch)[],
  { from, reason, actor, credential }: PublishOptions,
  lease: HeldLease,
): Promise<Attachment[]> {
  const via = { state: verifying, reason: lastByteStored } as const
  const options: TransitionOptions = {
    from,
    ...(from === uploading && { via }),
    to: 'ReadyForDownloadFromServerToClient',
    reason,
    actor,
    credential,
  }
  failpoint('before-publish')
  const published = await transitionWithRetry(context, files, options, lease)
  failpoint('after-publish')
  return published
}
