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
import { failAttempts } from './fail.ts'
import { isStoredAsSent, NotStoredAsSent, verifyDeclared } from './verify.ts'

const uploading = 'UploadFromClientToServerInProgress'
const verifying = 'ChecksumVerificationOnServerSideInProgress'

/** The reason in the history of a file that becomes Ready. */
const asSent = 'Size and checksum are as sent.'

/** The reason in the history of a file whose sibling failed. */
export const siblingFailed = 'Another file of the same request was not stored as it was sent. Send all of them again.'

/** The reason in the history of a file whose sibling was deleted before both became Ready. */
export const siblingDeleted =
  'Another file of the same request was deleted before it was verified. Send the others again.'

/** A file in verification, and whether the store holds the bytes that were sent. */
export interface Verified {
  attempt: Attempt
  isWhole: boolean
}

/** The publisher of files. A worker has no credential, because the request has ended and only the uploader's membership counts. */
export type Publisher = Pick<TransitionOptions, 'actor' | 'credential'>

type PublishContext = Pick<AppContext, 'db' | 'log'>

/**
 * Steps 3 and 4, from the last byte of the last file to Ready. When the store's responses confirm the checksums, one statement takes
 * the files through verification. Otherwise one statement takes them into verification, and another out of it after a look at the
 * objects.
 * @returns the attachments, Ready
 * @throws ChecksumMismatch; VerificationUndecided when the store does not respond; the errors of {@link publishVerified}
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
 * Step 4: takes the files of a request out of verification. All of them become Ready in one statement, or all of them fail.
 * @returns the attachments, Ready
 * @throws NotStoredAsSent when a file is not whole; the errors of {@link publish}
 */
export async function publishVerified(
  context: PublishContext,
  files: readonly Verified[],
  publisher: Publisher,
  lease: HeldLease,
): Promise<Attachment[]> {
  const whole = files.filter(({ isWhole }) => isWhole).map(({ attempt }) => attempt)
  const damaged = files.filter(({ isWhole }) => !isWhole).map(({ attempt }) => attempt)
  if (damaged.length === 0)
    return await publish(context, whole, { from: verifying, reason: asSent, ...publisher }, lease)
  const error = new NotStoredAsSent()
  const failure = { from: [verifying], actor: publisher.actor } as const
  // The damaged files fail first: after a crash in between, reverification fails the others as their siblings.
  await failAttempts(context.db, damaged, { ...failure, reason: error.message, isMismatch: true })
  await failAttempts(context.db, whole, { ...failure, reason: siblingFailed })
  throw error
}

/** `from`: files in `uploading` pass through verification in the statement that makes them Ready. */
type PublishOptions = Publisher & { from: typeof uploading | typeof verifying; reason: string }

/**
 * Makes all files Ready, or none. No other function makes a file Ready.
 * @param lease its signal aborts when the caller has lost the files
 * @throws StateConflict when a file was moved or deleted concurrently; CredentialEnded; DestinationGone; the reason of the signal
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
