import type { AppContext } from '#app-context.ts'
import { settlesWithin } from '#async/timeout.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { failpoint } from '#failpoints.ts'
import { releaseLeases } from '#persistence/leases.ts'
import { recordUploadId } from '#persistence/objects.ts'
import type { Attachment } from '#persistence/schema.ts'
import { algorithmsOf, type UploadAttempt } from './attempt.ts'
import { failUpload } from './fail.ts'
import type { IncomingFile, UploadRequest } from './incoming-file.ts'
import { ingest } from './ingest.ts'
import { Lease } from './lease.ts'
import { verifyAndPublish } from './publish.ts'
import { startAttempt } from './start-attempt.ts'
import { NotStoredAsSent, VerificationUndecided } from './verify.ts'

type Files = AsyncIterable<IncomingFile> | Iterable<IncomingFile>

/**
 * Uploads the files of one request: start an attempt, ingest, verify, publish. Either all files become Ready, or none.
 * @param files are pulled one after another, each when the bytes of the previous file are stored
 * @returns the attachments, Ready, in the order of the files
 * @throws StowageError `busy` or `rate_limited` without a free slot; the error of `files` or of a body. Before each of these, every
 *   started file of the request has failed and its bytes are handed to the purge. VerificationUndecided when verification is left to
 *   a worker; PublishUndecided when the database does not respond in time
 */
export function upload(context: AppContext, request: UploadRequest, files: Files): Promise<Attachment[]> {
  const { promise: stored, resolve: onStored } = Promise.withResolvers<void>()
  return answerInTime(uploadAll(context, request, files, onStored), stored)
}

async function uploadAll(
  context: AppContext,
  request: UploadRequest,
  files: Files,
  onStored: () => void,
): Promise<Attachment[]> {
  using _slot = context.takeUploadSlot(request.actor)
  using lease = new Lease(context.db, context.config.uploadLeaseSeconds)
  const attempts: UploadAttempt[] = []
  try {
    for await (const file of files) await receive(context, request, file, attempts, lease)
    onStored()
    return await verifyAndPublish(context, attempts, request, lease)
  } catch (error) {
    throw await endFailed(context, request, attempts, lease, error)
  }
}

async function receive(
  context: AppContext,
  request: UploadRequest,
  file: IncomingFile,
  attempts: UploadAttempt[],
  lease: Lease,
): Promise<void> {
  const { db, store, config } = context
  request.signal.throwIfAborted()
  failpoint('before-intent')
  const started = await startAttempt(context, file, request)
  failpoint('after-intent')
  const { attempt, objectKey, declaredSize } = started
  attempts.push(started)
  lease.add(attempt)
  started.ingested = await ingest(file.body, {
    store,
    objectKey,
    algorithms: algorithmsOf(started),
    maxFileSize: config.maxFileSize,
    declaredSize,
    atMost: 'atMost' in file ? file.atMost : undefined,
    signal: AbortSignal.any([request.signal, lease.signal]),
    onUpload: (uploadId) => recordUploadId(db, objectKey, uploadId),
  })
}

/** Ends an upload that is not published. @returns the error for the client */
async function endFailed(
  context: AppContext,
  { actor }: UploadRequest,
  attempts: readonly UploadAttempt[],
  lease: Lease,
  error: unknown,
): Promise<unknown> {
  if (error instanceof VerificationUndecided) {
    await leaveToWorker(context, attempts)
    return error
  }
  if (error instanceof NotStoredAsSent) {
    context.wakePurge()
    return error
  }
  // The store may have lost the upload because the attachment was deleted concurrently. The lost lease is then the error to report.
  await lease.renew()
  const reason = lease.signal.aborted ? lease.signal.reason : error
  await failUpload(context, attempts, reason, actor)
  return reason
}

/** Releases the leases, so that a worker verifies the files at once. The promise never rejects: on failure the leases expire. */
async function leaveToWorker({ db, log }: AppContext, files: readonly UploadAttempt[]): Promise<void> {
  const attempts = files.map(({ attempt }) => attempt)
  await releaseLeases(db, attempts).catch((err) => log.warn({ err, attempts }, 'undecided until the lease has run out'))
}

/** The bytes are stored, but the database has not recorded them in time. The server keeps trying. */
export class PublishUndecided extends StowageError {
  constructor() {
    super(
      'database_unavailable',
      'The file has arrived, but the database does not answer. The server tries again: read the attachment in a moment, and send it again only if it has failed.',
    )
    this.name = 'PublishUndecided'
  }
}

/**
 * The result of `work`, or an error in time for the client while `work` continues.
 * @param stored resolves when the last byte is stored, after which `work` waits only for the database
 * @throws the error of `work`; PublishUndecided when `work` takes longer than `limits.publish` milliseconds after `stored`
 */
function answerInTime<T>(work: Promise<T>, stored: Promise<void>): Promise<T> {
  const decided = stored.then(async () => {
    if (await settlesWithin(limits.publish, work)) return await work
    throw new PublishUndecided()
  })
  return Promise.race([work, decided])
}
