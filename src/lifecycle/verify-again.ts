import { PlaceLost } from '../db/authority.ts'
import { findInVerification, releaseLeases, type Unverified } from '../db/leases.ts'
import { type Attempt, move } from '../db/transitions.ts'
import type { Deps } from '../deps.ts'
import { StowageError } from '../errors.ts'
import { readBack } from '../store/read-back.ts'
import { Lease } from './lease.ts'
import { otherFileFailed, settle, type Verified } from './settle.ts'

const actor = 'verification'
const noAnswer = 'The object store did not say whether the file is whole. Send it again.'

/**
 * Step 3 once more, for the files of a request whose verification nobody finished: their server died, or the store did not
 * answer it. What was computed on the way is compared with the stored bytes themselves, read back: what the store had told
 * of them died with the server. A store that is silent for a lease after the last byte came costs the files.
 * @param one of the files, seen in verification
 * @throws StowageError when they were not whole, or were moved or deleted meanwhile: then nothing is left to do
 */
export async function verifyAgain(
  deps: Pick<Deps, 'db' | 'store' | 'config' | 'log'>,
  one: Pick<Unverified, 'id' | 'requestId'>,
  stopping: AbortSignal,
): Promise<void> {
  const { db, config, log } = deps
  const files = await findInVerification(db, one, config.uploadLeaseSeconds)
  using lease = new Lease(db, config.uploadLeaseSeconds)
  for (const { id, attempt } of files) lease.add({ id, attempt })
  if (files.some((file) => file.hasFailedSibling)) return await giveUp(db, files, otherFileFailed)
  const verified = await readAll(deps, files, AbortSignal.any([stopping, lease.signal])).catch((err) => {
    log.warn({ err, requestId: one.requestId }, 'not verified yet')
  })
  if (verified) await settleOrGiveUp(deps, files, verified, lease)
  else if (files.some((file) => file.isOverdue) && !stopping.aborted) await giveUp(db, files, noAnswer)
  else await releaseLeases(db, attemptsOf(files))
}

/** Files whose uploader has left the room since, or whose message is gone, are of no use to anybody. */
async function settleOrGiveUp(
  deps: Pick<Deps, 'db' | 'log'>,
  files: readonly Unverified[],
  verified: readonly Verified[],
  lease: Lease,
): Promise<void> {
  try {
    await settle(deps, verified, { actor }, lease)
  } catch (error) {
    if (!(error instanceof PlaceLost)) throw error
    await giveUp(deps.db, files, error.reason)
  }
}

async function giveUp(db: Deps['db'], files: readonly Unverified[], reason: string): Promise<void> {
  await move(db, attemptsOf(files), {
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
  { store }: Pick<Deps, 'store'>,
  files: readonly Unverified[],
  signal: AbortSignal,
): Promise<Verified[]> {
  const verified: Verified[] = []
  for (const { id, attempt, ...file } of files)
    verified.push({ attempt: { id, attempt }, isWhole: await isWhole(store, file, signal) })
  return verified
}

async function isWhole(
  store: Deps['store'],
  { objectKey, fileSize, fileChecksum, fileChecksumAlgorithm, ...declared }: Omit<Unverified, 'id' | 'attempt'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { declaredSize, declaredChecksum } = declared
  if ((declaredSize ?? fileSize) !== fileSize || (declaredChecksum ?? fileChecksum) !== fileChecksum) return false
  try {
    const { size, digest } = await readBack(store, objectKey, fileChecksumAlgorithm, signal)
    return size === fileSize && digest === fileChecksum
  } catch (error) {
    if (error instanceof StowageError && error.code === 'not_found') return false
    throw error
  }
}
