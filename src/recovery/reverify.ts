import type { AppContext } from '#app-context.ts'
import { StowageError } from '#domain/errors.ts'
import { findInVerification, releaseLeases, type Unverified } from '#persistence/leases.ts'
import { DestinationGone } from '#persistence/publish-permission.ts'
import type { Attempt } from '#persistence/schema.ts'
import { hashObject } from '#store/hash-object.ts'
import { failAttempt } from '#uploads/fail.ts'
import { Lease } from '#uploads/lease.ts'
import { publishVerified, siblingFailed, type Verified } from '#uploads/publish.ts'
import { VerificationUndecided } from '#uploads/verify.ts'
import type { FailedReads } from './failed-reads.ts'

const actor = 'verification'
const noAnswer = 'The object store did not say whether the file is whole. Send it again.'

export type ReverifyContext = Pick<AppContext, 'db' | 'store' | 'config' | 'log'> & { failedReads: FailedReads }

/**
 * Verifies the files of a request again, because their server died or the store did not answer. The stored bytes are read back and
 * compared with the digests computed on the way: the store's answer was lost with the process. A store that stays silent is asked
 * again, until a lease has passed since the first try that failed.
 * @param one of the files, seen in verification
 * @throws StowageError when they are not whole, or were moved or deleted meanwhile: then nothing is left to do.
 *   VerificationUndecided when the store did not answer: then they are to be verified again, or have failed
 */
export async function reverify(
  context: ReverifyContext,
  one: Pick<Unverified, 'id' | 'requestId'>,
  stopping: AbortSignal,
): Promise<void> {
  const { db, config, failedReads } = context
  const files = await findInVerification(db, one)
  using lease = new Lease(db, config.uploadLeaseSeconds)
  for (const { id, attempt } of files) lease.add({ id, attempt })
  if (files.some((file) => file.hasFailedSibling)) return await failAll(context, files, siblingFailed)
  const signal = AbortSignal.any([stopping, lease.signal])
  const verified = await readAll(context, files, signal).catch((error) => leave(context, files, stopping, error))
  if (verified === undefined) return
  forget(failedReads, files)
  await publishOrFail(context, files, verified, lease)
}

/**
 * Releases the leases of files, so that any replica verifies them again at once; or fails the files after enough tries.
 * @throws VerificationUndecided, unless the only reason is that this server stops
 */
async function leave(
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
    await failAll(context, files, noAnswer)
  }
  throw new VerificationUndecided(error)
}

/** Files that are verified together are counted as their first. */
function forget(failedReads: FailedReads, [first]: readonly Unverified[]): void {
  if (first) failedReads.forget(first.id)
}

/** Fails the files whose uploader has left the room since, or whose message is gone. */
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
  for (const attempt of attemptsOf(files))
    await failAttempt(db, attempt, { from: ['ChecksumVerificationOnServerSideInProgress'], reason, actor })
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
