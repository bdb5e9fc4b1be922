import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { findInVerification, releaseLeases, type Unverified } from '#persistence/leases.ts'
import { DestinationGone } from '#persistence/publish-permission.ts'
import { type Attempt, transition } from '#persistence/transitions.ts'
import { hashObject } from '#store/hash-object.ts'
import { Lease } from '#uploads/lease.ts'
import { otherFileFailed, settle, type Verified } from '#uploads/publish.ts'
import { VerificationUndecided } from '#uploads/verify.ts'
import type { FailedReads } from './failed-reads.ts'

const actor = 'verification'
const noAnswer = 'The object store did not say whether the file is whole. Send it again.'

/**
 * Step 3 once more, for the files of a request whose verification did not end: their server died, or the store did not answer. The
 * stored bytes are read back and compared with what was computed on the way, because the store's first answer died with the server.
 * A store that does not answer is asked again, for a lease after the first try that failed.
 * @param one of the files, seen in verification
 * @throws StowageError when they were not whole, or were moved or deleted meanwhile: then nothing is left to do.
 *   VerificationUndecided when the store did not answer: then they are to be verified again, or have been given up
 */
export async function reverify(
  deps: Pick<AppContext, 'db' | 'store' | 'config' | 'log'> & { failedReads: FailedReads },
  one: Pick<Unverified, 'id' | 'requestId'>,
  stopping: AbortSignal,
): Promise<void> {
  const { db, config, failedReads } = deps
  const files = await findInVerification(db, one)
  using lease = new Lease(db, config.uploadLeaseSeconds)
  for (const { id, attempt } of files) lease.add({ id, attempt })
  if (files.some((file) => file.hasFailedSibling)) return await giveUp(db, files, otherFileFailed)
  const signal = AbortSignal.any([stopping, lease.signal])
  const verified = await readAll(deps, files, signal).catch((error) => leave(deps, files, stopping, error))
  if (verified === undefined) return
  forget(failedReads, files)
  await settleOrGiveUp(deps, files, verified, lease)
}

/**
 * Releases the leases of files, so that any replica verifies them again at once; or gives the files up after enough tries.
 * @throws VerificationUndecided, unless the reason is only that this server stops
 */
async function leave(
  { db, failedReads }: Pick<AppContext, 'db'> & { failedReads: FailedReads },
  files: readonly Unverified[],
  stopping: AbortSignal,
  error: unknown,
): Promise<undefined> {
  if (stopping.aborted) return await releaseLeases(db, attemptsOf(files)).then(() => undefined)
  const [first] = files
  if (first === undefined || !failedReads.note(first.id)) await releaseLeases(db, attemptsOf(files))
  else {
    forget(failedReads, files)
    await giveUp(db, files, noAnswer)
  }
  throw new VerificationUndecided(error)
}

/** Files that are verified together are counted as their first. */
function forget(failedReads: FailedReads, [first]: readonly Unverified[]): void {
  if (first) failedReads.forget(first.id)
}

/** Moves the files out of verification. Those whose uploader has left the room since, or whose message is gone, fail. */
async function settleOrGiveUp(
  deps: Pick<AppContext, 'db' | 'log'>,
  files: readonly Unverified[],
  verified: readonly Verified[],
  lease: Lease,
): Promise<void> {
  try {
    await settle(deps, verified, { actor }, lease)
  } catch (error) {
    if (!(error instanceof DestinationGone)) throw error
    await giveUp(deps.db, files, error.reason)
  }
}

async function giveUp(db: AppContext['db'], files: readonly Unverified[], reason: string): Promise<void> {
  await transition(db, attemptsOf(files), {
    from: 'ChecksumVerificationOnServerSideInProgress',
    to: 'ChecksumVerificationOnServerSideFailed',
    reason,
    actor,
  })
}

function attemptsOf(files: readonly Unverified[]): Attempt[] {
  return files.map(({ id, attempt }) => ({ id, attempt }))
}

async function readAll(
  { store }: Pick<AppContext, 'store'>,
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
