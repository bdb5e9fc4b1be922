import type { Readable } from 'node:stream'
import { recordUploadId } from '../db/objects.ts'
import { type Attachment, move } from '../db/transitions.ts'
import type { Deps } from '../deps.ts'
import { type Arriving, ingestedOf, measured } from './arriving.ts'
import { failUpload } from './fail.ts'
import { ingest } from './ingest.ts'
import { Lease } from './lease.ts'
import { type Announced, reserve } from './reserve.ts'
import { verifyDeclared, verifyStored } from './verify.ts'

/** A file as a request brings it. */
export interface Incoming extends Omit<Announced, 'actor'> {
  body: Readable
  /** Bytes, when the client said so. */
  declaredSize?: number | undefined
  /** Hex digest, when the client said so. */
  declaredChecksum?: string | undefined
}

export type Receive = (file: Incoming) => Promise<void>

/**
 * The way of the files of one request: reserve, ingest, verify, publish. They become Ready together or not at all.
 * @param actor who is written into the history
 * @param signal aborts the transfer while bytes arrive; once they are stored, a client that leaves changes nothing
 * @param receiveAll brings the files, one after another
 * @returns the attachments, Ready, in the order they were brought
 * @throws StowageError whatever went wrong, after every file of the request has been failed and handed to the purge
 */
export async function upload(
  deps: Deps,
  { actor, signal }: { actor: string; signal: AbortSignal },
  receiveAll: (receive: Receive) => Promise<void>,
): Promise<Attachment[]> {
  using _slot = deps.takeUploadSlot()
  using lease = new Lease(deps.db, deps.config.uploadLeaseSeconds)
  const files: Arriving[] = []
  try {
    await receiveAll((file) => receive(deps, file, files, lease, actor, signal))
    return await finish(deps, files, actor)
  } catch (error) {
    // A store that lost the upload because the attachment was deleted under us is not to blame.
    await lease.renew()
    const reason = lease.signal.aborted ? lease.signal.reason : error
    await failUpload(deps, files, reason, actor)
    throw reason
  }
}

async function receive(
  deps: Deps,
  file: Incoming,
  files: Arriving[],
  lease: Lease,
  actor: string,
  signal: AbortSignal,
): Promise<void> {
  const { attachment, objectKey } = await reserve(deps, { ...file, actor })
  const attempt = { id: attachment.id, attempt: attachment.attempt }
  const arriving: Arriving = { attempt, objectKey, declaredChecksum: file.declaredChecksum }
  files.push(arriving)
  lease.add(attempt)
  arriving.ingested = await ingest(file.body, {
    store: deps.store,
    objectKey,
    algorithm: attachment.fileChecksumAlgorithm,
    maxFileSize: deps.config.maxFileSize,
    declaredSize: file.declaredSize,
    signal: AbortSignal.any([signal, lease.signal]),
    onUpload: (uploadId) => recordUploadId(deps.db, objectKey, uploadId),
  })
}

/** From the last byte of the last file to Ready: one move into verification, one out of it. */
async function finish(deps: Deps, files: Arriving[], actor: string): Promise<Attachment[]> {
  const { db, config, store } = deps
  for (const file of files) verifyDeclared(config.checksumAlgorithm, file.declaredChecksum, ingestedOf(file))
  await move(db, files.map(measured), {
    from: 'UploadFromClientToServerInProgress',
    to: 'ChecksumVerificationOnServerSideInProgress',
    reason: 'The last byte was stored.',
    actor,
    leaseSeconds: config.uploadLeaseSeconds,
  })
  await Promise.all(files.map((file) => verifyStored(store, file.objectKey, ingestedOf(file))))
  return await move(
    db,
    files.map(({ attempt }) => attempt),
    {
      from: 'ChecksumVerificationOnServerSideInProgress',
      to: 'ReadyForDownloadFromServerToClient',
      reason: 'Size and checksum are as sent.',
      actor,
    },
  )
}
