import { randomBytes } from 'node:crypto'
import type { AppContext } from '#app-context.ts'
import { contentTypeFrom, unknownType } from '#domain/content-type.ts'
import { StowageError } from '#domain/errors.ts'
import { awaitsBytes } from '#domain/states.ts'
import { insertAttempt, insertIntent, type Writer } from '#persistence/attempts.ts'
import type { Attachment } from '#persistence/schema.ts'
import type { UploadAttempt } from './attempt.ts'
import type { IncomingFile, NewFile, ReservedFile, UploadRequest } from './incoming-file.ts'
import { refusalFor, reservationOf } from './reserve.ts'

type StartContext = Pick<AppContext, 'db' | 'config'>

const reason = 'The file began to arrive.'

/**
 * Step 1: commits the intent row. The row is committed before the store receives the key, so a query finds every object that a crash
 * leaves.
 * @throws StowageError `invalid` for a bad name, `not_found` when the message is gone, `conflict` when the message is full, or when
 *   the bytes of a reserved attachment have arrived or are arriving
 */
export function startAttempt(
  context: StartContext,
  file: IncomingFile,
  request: UploadRequest,
): Promise<UploadAttempt> {
  return 'attachment' in file ? startReserved(context, file, request) : startNew(context, file, request)
}

async function startNew(context: StartContext, file: NewFile, { actor, requestId }: UploadRequest) {
  const writer = newWriter(context, requestId)
  const intent = { ...reservationOf(context, { ...file, actor }), ...writer, reason }
  const attachment = await insertIntent(context.db, intent)
  if (attachment === undefined) throw await refusalFor(context, file)
  return attemptAt(attachment, writer)
}

/** Starts the first attempt at a reserved attachment, or the next attempt after failed ones. */
async function startReserved(context: StartContext, file: ReservedFile, { actor, requestId }: UploadRequest) {
  const { attachment, declaredSize, digests } = file
  if (!awaitsBytes(attachment.state))
    throw new StowageError(
      'conflict',
      `The bytes of this attachment are there or on their way: its state is ${attachment.state}. Read it again.`,
    )
  const writer = newWriter(context, requestId)
  const contentType = contentTypeOf(file)
  const started = attemptAt(
    await insertAttempt(context.db, attachment, { ...writer, contentType, reason, actor }),
    writer,
  )
  return { ...started, declaredSize, declaredDigests: [...started.declaredDigests, ...digests] }
}

function contentTypeOf({ attachment: { contentType, fileName }, contentType: claimed }: ReservedFile): string {
  return contentType === unknownType ? contentTypeFrom(claimed, fileName) : contentType
}

function attemptAt(attachment: Attachment, { objectKey }: Writer): UploadAttempt {
  const { id, attempt, fileChecksumAlgorithm: algorithm, declaredSize, declaredChecksum } = attachment
  return {
    attempt: { id, attempt },
    objectKey,
    algorithm,
    declaredSize: declaredSize ?? undefined,
    declaredDigests: declaredChecksum === null ? [] : [{ algorithm, hex: declaredChecksum }],
  }
}

/**
 * A writer with a new object key: 160 random bits in hex. The key belongs to one attempt and reveals nothing about the file. Its first
 * two digits spread the keys over folders and partitions.
 */
function newWriter({ config }: StartContext, requestId: string): Writer {
  const name = randomBytes(20).toString('hex')
  return { objectKey: `${name.slice(0, 2)}/${name}`, leaseSeconds: config.uploadLeaseSeconds, requestId }
}
