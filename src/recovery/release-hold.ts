import { setTimeout as delay } from 'node:timers/promises'
import type { AppContext } from '#app-context.ts'
import { StowageError } from '#domain/errors.ts'
import { findInterrupted, findInterruptedRequest, type InterruptedUpload } from '#persistence/leases.ts'
import { releaseHold } from '#persistence/server-identity.ts'
import { StateConflict } from '#persistence/transitions.ts'
import { hashObject, type ObjectHash } from '#store/hash-object.ts'
import { publish } from '#uploads/publish.ts'

const pageSize = 1000

/** The advice during a hold, for the log and for commands. */
export const holdAdvice =
  'No upload is failed and nothing is removed until `stowage scrub` has run to its end, or `stowage restored --release`: see docs/restore.md.'

export interface HoldEnd {
  /** False when the hold had already ended, or another hold has begun. */
  isReleased: boolean
  /** Number of files that became Ready, because they were uploading in the database but whole in the store. */
  kept: number
}

type EndHoldContext = Pick<AppContext, 'db' | 'store' | 'log'> & {
  config: Pick<AppContext['config'], 'uploadLeaseSeconds'>
}

/**
 * Publishes the files that have arrived, then ends a hold. An upload in progress when the copy was made may have been finished and
 * acknowledged by the lost server, and recovery would fail it and remove its bytes. The files are read when the hold has lasted half a
 * lease, within which every living writer renews its lease.
 * @param heldSince the beginning of the hold, from `readHold`; a later hold continues
 * @throws StowageError `storage_unavailable`, the error of a query, or the signal's reason; the hold then continues
 */
export async function endHold(context: EndHoldContext, heldSince: Date, signal: AbortSignal): Promise<HoldEnd> {
  const { db, config } = context
  const renewedBy = heldSince.getTime() + config.uploadLeaseSeconds * 500
  await delay(Math.max(0, renewedBy - Date.now()), undefined, { signal })
  const kept = await publishArrived(context, signal)
  return { isReleased: await releaseHold(db, heldSince), kept }
}

async function publishArrived(context: EndHoldContext, signal: AbortSignal): Promise<number> {
  const seen = new Set<string>()
  let kept = 0
  let last: number | undefined = 0
  while (last !== undefined) {
    const page: InterruptedUpload[] = await findInterrupted(context.db, { ...pageOf(context), after: last })
    for (const { requestId } of page) {
      if (requestId === null || seen.has(requestId)) continue
      seen.add(requestId)
      kept += await publishRequest(context, requestId, signal)
    }
    last = page.length < pageSize ? undefined : page.at(-1)?.id
  }
  return kept
}

function pageOf({ config }: EndHoldContext) {
  return { limit: pageSize, leaseSeconds: config.uploadLeaseSeconds }
}

/** Publishes all files of a request, or none. A request with a file that is missing or not as declared was never acknowledged. */
async function publishRequest(context: EndHoldContext, requestId: string, signal: AbortSignal): Promise<number> {
  const { db, store } = context
  const files = await findInterruptedRequest(db, requestId, pageOf(context))
  const arrived = []
  for (const file of files) {
    const found = await hashIfPresent(store, file, signal)
    if (found === undefined || !isAsDeclared(file, found)) return 0
    arrived.push({ id: file.id, attempt: file.attempt, fileSize: found.size, fileChecksum: found.digest })
  }
  if (arrived.length === 0) return 0
  const reason = 'The store holds it whole, though the database had lost that it was finished.'
  const from = 'UploadFromClientToServerInProgress'
  try {
    await publish(context, arrived, { from, reason, actor: 'restore' }, { signal, seconds: 0 })
    return arrived.length
  } catch (error) {
    // A file was deleted, or its attempt ended, concurrently.
    if (error instanceof StateConflict) return 0
    throw error
  }
}

/** `undefined` without an object. An object appears in the store only after its last byte. */
async function hashIfPresent(
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
