import { setTimeout as delay } from 'node:timers/promises'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { findInterrupted, findInterruptedRequest, type InterruptedUpload } from '#persistence/interrupted-uploads.ts'
import { releaseHold } from '#persistence/server-identity.ts'
import { StateConflict, transition } from '#persistence/transitions.ts'
import { hashObject, type ObjectHash } from '#store/hash-object.ts'
import { lastByteStored } from '#uploads/publish.ts'

const pageSize = 1000

/** The advice during a hold, for the log and for commands. */
export const holdAdvice =
  'No upload is failed and nothing is removed until `stowage scrub` has run to its end, or `stowage restored --release`: see docs/restore.md.'

export interface HoldEnd {
  /** False when the hold had ended already, or another one began. */
  isReleased: boolean
  /** Files that were under way in the rows and whole in the store, and became Ready. */
  kept: number
}

type EndHoldDeps = Pick<AppContext, 'db' | 'store'> & { config: Pick<AppContext['config'], 'uploadLeaseSeconds'> }

/**
 * Ends a hold. First the files that have arrived are kept: an upload that was under way when the copy was made may have been
 * finished and acknowledged on the lost server, and the recovery would fail it and remove its bytes. Before that, the hold must
 * have lasted for half a lease, within which every living writer renews its lease.
 * @param heldSince the beginning of the hold, from `readHold`; a hold that has begun since goes on
 * @throws StowageError `storage_unavailable`, what a query fails with, the signal's reason: the hold goes on then
 */
export async function endHold(deps: EndHoldDeps, heldSince: Date, signal: AbortSignal): Promise<HoldEnd> {
  const { db, config } = deps
  const renewed = heldSince.getTime() + config.uploadLeaseSeconds * 500
  await delay(Math.max(0, renewed - Date.now()), undefined, { signal })
  const kept = await publishArrived(deps, signal)
  return { isReleased: await releaseHold(db, heldSince), kept }
}

async function publishArrived(deps: EndHoldDeps, signal: AbortSignal): Promise<number> {
  const seen = new Set<string>()
  let kept = 0
  let last: number | undefined = 0
  while (last !== undefined) {
    const page: InterruptedUpload[] = await findInterrupted(deps.db, { ...pageOf(deps), after: last })
    for (const { requestId } of page) {
      if (requestId === null || seen.has(requestId)) continue
      seen.add(requestId)
      kept += await publishRequest(deps, requestId, signal)
    }
    last = page.length < pageSize ? undefined : page.at(-1)?.id
  }
  return kept
}

function pageOf({ config }: EndHoldDeps) {
  return { limit: pageSize, leaseSeconds: config.uploadLeaseSeconds }
}

/** Keeps all files of a request, or none: a request with a file that is missing, or not as declared, was not acknowledged. */
async function publishRequest(deps: EndHoldDeps, requestId: string, signal: AbortSignal): Promise<number> {
  const { db, store } = deps
  const files = await findInterruptedRequest(db, requestId, pageOf(deps))
  const arrived = []
  for (const file of files) {
    const found = await readIfThere(store, file, signal)
    if (found === undefined || !isAsDeclared(file, found)) return 0
    arrived.push({ id: file.id, attempt: file.attempt, fileSize: found.size, fileChecksum: found.digest })
  }
  if (arrived.length === 0) return 0
  try {
    await transition(db, arrived, {
      from: 'UploadFromClientToServerInProgress',
      via: { state: 'ChecksumVerificationOnServerSideInProgress', reason: lastByteStored },
      to: 'ReadyForDownloadFromServerToClient',
      reason: 'The store holds it whole, though the database had lost that it was finished.',
      actor: 'restore',
    })
    return arrived.length
  } catch (error) {
    // Deleted, or ended otherwise, meanwhile.
    if (error instanceof StateConflict) return 0
    throw error
  }
}

/** An object appears in the store when its last byte has come, and not before. */
async function readIfThere(
  store: AppContext['store'],
  file: InterruptedUpload,
  signal: AbortSignal,
): Promise<ObjectHash | undefined> {
  try {
    return await hashObject(store, file.objectKey, file.fileChecksumAlgorithm, signal)
  } catch (error) {
    if (error instanceof StowageError && error.code === 'not_found') return undefined
    throw error
  }
}

function isAsDeclared({ declaredSize, declaredChecksum }: InterruptedUpload, { size, digest }: ObjectHash): boolean {
  return (declaredSize ?? size) === size && (declaredChecksum ?? digest) === digest
}
