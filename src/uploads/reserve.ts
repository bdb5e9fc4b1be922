import { messageNotFound } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { contentTypeFrom } from '#domain/content-type.ts'
import { StowageError } from '#domain/errors.ts'
import { fileNameFrom } from '#domain/file-name.ts'
import { failpoint } from '#failpoints.ts'
import { isAtAttachmentLimit, isAtReservationLimit, isTrue } from '#persistence/caps.ts'
import { type Attachment, insertReserved, type Reservation } from '#persistence/transitions.ts'
import { tooLarge } from './ingest.ts'

/** A file that is about to arrive, now or later. */
export interface FileDeclaration {
  messageId: number
  uploaderId: number
  fileName: string | undefined
  /** As the client claims it. */
  contentType: string | undefined
  /** Bytes, when the client said so. */
  declaredSize?: number | undefined
  /** Lower-case hex, when the client said so. */
  declaredChecksum?: string | undefined
  actor: string
}

/**
 * Announces a file whose bytes come in a request of their own. Objects and leases belong to attempts: a reservation has none. A
 * reservation that is never used is forgotten as failed attachments are.
 * @throws StowageError `invalid` for a bad name, `too_large`, `not_found` when the message is gone, `conflict` when it is full,
 *   `rate_limited` when the user has too many that await their bytes
 */
export async function reserve(
  deps: Pick<AppContext, 'db' | 'config'>,
  announced: FileDeclaration & { declaredSize: number },
): Promise<Attachment> {
  const reservation = { ...reservationOf(deps, announced), declaredSize: announced.declaredSize }
  if (announced.declaredSize > deps.config.maxFileSize) throw tooLarge(deps.config.maxFileSize)
  failpoint('before-reserve')
  const most = deps.config.reservationsPerUser
  const reason = 'The client announced the file.'
  const reserved = await insertReserved(deps.db, { ...reservation, reason }, most)
  failpoint('after-reserve')
  if (reserved === undefined) {
    if (await isTrue(deps.db, isAtReservationLimit(announced.uploaderId, most))) throw tooManyReserved(most)
    throw await refusalFor(deps, announced)
  }
  return reserved
}

function tooManyReserved(most: number): StowageError {
  const text = `You have ${most} attachments that await their bytes. Send these, or delete some, before you announce more.`
  return new StowageError('rate_limited', text)
}

/** The error for a message that takes no further attachment. */
export async function refusalFor(
  { db, config }: Pick<AppContext, 'db' | 'config'>,
  { messageId }: Pick<FileDeclaration, 'messageId'>,
): Promise<StowageError> {
  const most = config.attachmentsPerMessage
  if (!(await isTrue(db, isAtAttachmentLimit(messageId, most)))) return messageNotFound()
  return new StowageError('conflict', `The message has ${most} attachments, and takes no more. Use another message.`)
}

/** @throws StowageError `invalid` for a bad name */
export function reservationOf(
  { config }: Pick<AppContext, 'config'>,
  announced: FileDeclaration,
): Omit<Reservation, 'reason'> {
  const { messageId, uploaderId, declaredSize, declaredChecksum, actor } = announced
  const fileName = fileNameFrom(announced.fileName)
  const contentType = contentTypeFrom(announced.contentType, fileName)
  const file = { fileName, contentType, checksumAlgorithm: config.checksumAlgorithm, declaredSize, declaredChecksum }
  return { messageId, uploaderId, ...file, mostOfMessage: config.attachmentsPerMessage, actor }
}
