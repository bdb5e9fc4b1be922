import type { AppContext } from '#app-context.ts'
import { StowageError } from '#domain/errors.ts'
import { findInVerification, releaseLeases, type Unverified } from '#persistence/leases.ts'
import { DestinationGone } from '#persistence/publish-permission.ts'
import type { Attempt } from '#persistence/schema.ts'
import { hashObject } from '#store/hash-object.ts'
import { failAttempts } from '#uploads/fail.ts'
import { Lease } from '#uploads/lease.ts'
import { publishVerified, siblingDeleted, siblingFailed, type Verified } from '#uploads/publish.ts'
import { VerificationUndecided } from '#uploads/verify.ts'
import type { FailedReads } from './failed-reads.ts'

const actor = 'verification'
const noResponse = 'The object store did not say whether the file is whole. Send it again.'

export type ReverifyContext = Pick<AppContext, 'db' | 'store' | 'config' | 'log'> & { failedReads: FailedReads }

/**
 * Verifies the files of a request again after their server died or the store did not respond. The stored bytes are read back and
 * compared with the digests computed during the upload, because the store's response was lost with the process. A silent store is
 * retried until a lease has passed since the first failed try.
 * @param file a file of the request, seen in verification
 * @throws StowageError when the files are not whole, or were moved or deleted concurrently; nothing is left to do.
 *   VerificationUndecided when the store did not respond; the files have failed, or have to be verified again
 */
export async function reverify(
  context: ReverifyContext,
  file: Pick<Unverified, 'id' | 'requestId'>,
  stopping: AbortSignal,
): Promise<void> {
  const { db, config, failedReads } = context
  const files = await findInVerification(db, file)
  using lease = new Lease(db, config.uploadLeaseSeconds)
  for (const { id, attempt } of files) lease.add({ id, attempt })
  const loss = files.find(({ siblingLoss }) => siblingLoss)?.siblingLoss
  if (loss) return await failAll(context, files, loss === 'failed' ? siblingFailed : siblingDeleted)
  const signal = AbortSignal.any([stopping, lease.signal])
  const verified = await readAll(context, files, signal).catch((error) =>
    releaseOrFail(context, files, stopping, error),
  )
  if (verified === undefined) return
  forget(failedReads, files)
  await publishOrFail(context, files, verified, lease)
}

/**
 * Releases the leases of the files, so that any replica verifies them again at once. After enough tries, fails the files instead.
 * @throws VerificationUndecided, unless this server is stopping
 */
async function releaseOrFail(
  context: ReverifyContext,
  files: readonly Unverified[],
  stopping: AbortSignal,
  error: unknown,
): Promise<undefined> {
  const { db, failedReads } = context
  if (stopping.aborted) return await releaseLeases(db, attemptsOf(files)).then(() => undefined)
  const [first] = files
  if (first === undefined || !failedReads.note(first.id)) await releaseLeases(db, attemptsOf(files))
  else {
    forget(failedReads, files)
    await failAll(context, files, noResponse)
  }
  throw new VerificationUndecided(error)
}

/** The first file carries the count of all files that are verified together. */
function forget(failedReads: FailedReads, [first]: readonly Unverified[]): void {
  if (first) failedReads.forget(first.id)
}

/** Publishes the files, or fails them when the uploader has left the room or the message is gone. */
async function publishOrFail(
  context: ReverifyContext,
  files: readonly Unverified[],
  verified: readonly Verified[],
  lease: Lease,
): Promise<void> {
  try {
    await publishVerified(context, verified, { actor }, lease)
  } catch (error) {
    if (!(error instanceof DestinationGone)) throw error
    await failAll(context, files, error.reason)
  }
}

async function failAll({ db }: ReverifyContext, files: readonly Unverified[], reason: string): Promise<void> {
  await failAttempts(db, attemptsOf(files), { from: ['ChecksumVerificationOnServerSideInProgress'], reason, actor })
}

function attemptsOf(files: readonly Unverified[]): Attempt[] {
  return files.map(({ id, attempt }) => ({ id, attempt }))
}

async function readAll(
  { store }: ReverifyContext,
  files: readonly Unverified[],
  signal: AbortSignal,
): Promise<Verified[]> {
  const verified: Verified[] = []
  for (const { id, attempt, ...file } of files)
    verified.push({ attempt: { id, attempt }, isWhole: await isWhole(store, file, signal) })
  return verified
}

async function isWhole(
  store: AppContext['store'],
  { objectKey, fileSize, fileChecksum, fileChecksumAlgorithm, ...declared }: Omit<Unverified, 'id' | 'attempt'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { declaredSize, declaredChecksum } = declared
  if ((declaredSize ?? fileSize) !== fileSize || (declaredChecksum ?? fileChecksum) !== fileChecksum) return false
  try {
    const { size, digest } = await hashObject(store, objectKey, fileChecksumAlgorithm, signal)
    return size === fileSize && digest === fileChecksum
  } catch (error) {
    if (error instanceof StowageError && error.code === 'not_found') return false
    throw error
  }
}
