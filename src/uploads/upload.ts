import type { Readable } from 'node:stream'
import type { AppContext } from '#deps.ts'
import { failpoint } from '#failpoints.ts'
import { releaseLeases } from '#persistence/leases.ts'
import { recordUploadId } from '#persistence/objects.ts'
import type { Credential } from '#persistence/publish-permission.ts'
import { transitionWithRetry } from '#persistence/transition-with-retry.ts'
import type { Attachment } from '#persistence/transitions.ts'
import { algorithmsOf, ingestedOf, measurementOf, type UploadAttempt } from './attempt.ts'
import { failUpload } from './fail.ts'
import { answerInTime } from './in-time.ts'
import { ingest } from './ingest.ts'
import { Lease } from './lease.ts'
import { asSent, lastByteStored, type Mover, NotStoredAsSent, settle } from './publish.ts'
import { isStoredAsSent, VerificationUndecided, verifyDeclared } from './verify.ts'

/** A file as a request brings it. */
export interface Incoming {
  /** Commits the attempt and the key its bytes will lie under. */
  begin(): Promise<UploadAttempt>
  /** Asked for once the attempt has begun: of a file that is refused before, nothing is read. */
  openBody(): Readable
  /** Bytes that may come at most, when that is known though the size is not. */
  atMost?: number | undefined
}

export type Receive = (file: Incoming) => Promise<void>

/** Whose request it is, and whether it still lasts. */
export interface UploadRequest {
  /** Who is written into the history. */
  actor: string
  /** The token or session of the request. When it has ended before the last byte is stored, nothing becomes Ready. */
  credential: Credential
  /** Aborts the transfer while bytes arrive; once they are stored, a client that leaves changes nothing. */
  signal: AbortSignal
  /** Of the request, as the logs name it; what it brings becomes Ready together. */
  requestId: string
}

/**
 * The way of the files of one request: begin, ingest, verify, publish. They become Ready together or not at all.
 * @param receiveAll brings the files, one after another
 * @returns the attachments, Ready, in the order they were brought
 * @throws StowageError whatever went wrong, after every file of the request has been failed and handed to the purge;
 *   VerificationUndecided when it is left to a worker; PublishUndecided when the database keeps it waiting
 */
export function upload(
  deps: AppContext,
  uploading: UploadRequest,
  receiveAll: (receive: Receive) => Promise<void>,
): Promise<Attachment[]> {
  const { promise: stored, resolve: onStored } = Promise.withResolvers<void>()
  return answerInTime(uploadAll(deps, uploading, receiveAll, onStored), stored)
}

async function uploadAll(
  deps: AppContext,
  { actor, credential, signal }: UploadRequest,
  receiveAll: (receive: Receive) => Promise<void>,
  onStored: () => void,
): Promise<Attachment[]> {
  using _slot = deps.takeUploadSlot(actor)
  using lease = new Lease(deps.db, deps.config.uploadLeaseSeconds)
  const files: UploadAttempt[] = []
  try {
    await receiveAll((file) => receive(deps, file, files, lease, signal))
    onStored()
    return await finish(deps, files, lease, { actor, credential })
  } catch (error) {
    if (error instanceof VerificationUndecided) {
      await leaveUndecided(deps, files)
      throw error
    }
    if (error instanceof NotStoredAsSent) {
      deps.wakePurge()
      throw error
    }
    // A store may have lost the upload because the attachment was deleted meanwhile: then that is the error.
    await lease.renew()
    const reason = lease.signal.aborted ? lease.signal.reason : error
    await failUpload(deps, files, reason, actor)
    throw reason
  }
}

async function receive(
  deps: AppContext,
  file: Incoming,
  files: UploadAttempt[],
  lease: Lease,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  failpoint('before-intent')
  const arriving = await file.begin()
  failpoint('after-intent')
  const { attempt, objectKey, declaredSize } = arriving
  files.push(arriving)
  lease.add(attempt)
  arriving.ingested = await ingest(file.openBody(), {
    store: deps.store,
    objectKey,
    algorithms: algorithmsOf(arriving),
    maxFileSize: deps.config.maxFileSize,
    declaredSize,
    atMost: file.atMost,
    signal: AbortSignal.any([signal, lease.signal]),
    onUpload: (uploadId) => recordUploadId(deps.db, objectKey, uploadId),
  })
}

/**
 * From the last byte of the last file to Ready. What the store has confirmed with its answer needs no second look at it, and
 * so the passage through verification is one statement; otherwise there is one move into it and one out of it.
 */
async function finish(deps: AppContext, files: UploadAttempt[], lease: Lease, by: Mover): Promise<Attachment[]> {
  for (const file of files) verifyDeclared(file)
  const verifying = {
    state: 'ChecksumVerificationOnServerSideInProgress',
    reason: lastByteStored,
  } as const
  const arrived = files.map(measurementOf)
  const from = 'UploadFromClientToServerInProgress'
  if (files.every((file) => ingestedOf(file).stored.isConfirmed)) {
    failpoint('before-publish')
    const to = 'ReadyForDownloadFromServerToClient'
    const published = await transitionWithRetry(
      deps,
      arrived,
      { from, via: verifying, to, reason: asSent, ...by },
      lease,
    )
    failpoint('after-publish')
    return published
  }
  const { state, reason } = verifying
  failpoint('before-verify')
  await transitionWithRetry(
    deps,
    arrived,
    { from, to: state, reason, actor: by.actor, leaseSeconds: lease.seconds },
    lease,
  )
  failpoint('after-verify')
  const verified = files.map(async (file) => ({
    attempt: file.attempt,
    isWhole: await isStoredAsSent(deps.store, file),
  }))
  return await settle(deps, await Promise.all(verified), by, lease)
}

/** Lets a worker ask again at once, rather than when the lease has run out. Never throws: then it runs out. */
async function leaveUndecided({ db, log }: AppContext, files: UploadAttempt[]): Promise<void> {
  const attempts = files.map(({ attempt }) => attempt)
  await releaseLeases(db, attempts).catch((err) => log.warn({ err, attempts }, 'undecided until the lease has run out'))
}
