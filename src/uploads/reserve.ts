import type { AppContext } from '#app-context.ts'
import { contentTypeFrom } from '#domain/content-type.ts'
import { messageNotFound, StowageError, tooLarge } from '#domain/errors.ts'
import { fileNameFrom } from '#domain/file-name.ts'
import { failpoint } from '#failpoints.ts'
import {
  insertReserved,
  isAtAttachmentLimit,
  isAtReservationLimit,
  isTrue,
  type Reservation,
} from '#persistence/attempts.ts'
import type { Attachment } from '#persistence/schema.ts'
import type { FileDeclaration } from './incoming-file.ts'

type ReserveContext = Pick<AppContext, 'db' | 'config'>

/**
 * Reserves an attachment whose bytes arrive in a later request. A reservation has no object and no lease, because both belong to
 * attempts. An unused reservation expires as failed attachments do.
 * @throws StowageError `invalid` for a bad name, `too_large`, `not_found` when the message is gone, `conflict` when the message is
 *   full, `rate_limited` when the user has too many attachments that await their bytes
 */
export async function reserve(
  context: ReserveContext,
  declaration: FileDeclaration & { declaredSize: number; actor: string },
): Promise<Attachment> {
  const { declaredSize, uploaderId } = declaration
  const { maxFileSize, reservationsPerUser } = context.config
  const reservation = { ...reservationOf(context, declaration), declaredSize, reason: 'The client announced the file.' }
  if (declaredSize > maxFileSize) throw tooLarge(maxFileSize)
  failpoint('before-reserve')
  const reserved = await insertReserved(context.db, reservation, reservationsPerUser)
  failpoint('after-reserve')
  if (reserved !== undefined) return reserved
  const isAtLimit = await isTrue(context.db, isAtReservationLimit(uploaderId, reservationsPerUser))
  throw isAtLimit ? tooManyReserved(reservationsPerUser) : await refusalFor(context, declaration)
}

function tooManyReserved(limit: number): StowageError {
  const text = `You have ${limit} attachments that await their bytes. Send these, or delete some, before you announce more.`
  return new StowageError('rate_limited', text)
}

/** The error for a message that accepts no attachment: `conflict` when it is full, otherwise `not_found`. */
export async function refusalFor(
  { db, config }: ReserveContext,
  { messageId }: Pick<FileDeclaration, 'messageId'>,
): Promise<StowageError> {
  const limit = config.attachmentsPerMessage
  if (!(await isTrue(db, isAtAttachmentLimit(messageId, limit)))) return messageNotFound()
  return new StowageError('conflict', `The message has ${limit} attachments, and takes no more. Use another message.`)
}

/** @throws StowageError `invalid` for a bad name or media type */
export function reservationOf(
  { config }: Pick<AppContext, 'config'>,
  declaration: FileDeclaration & { actor: string },
): Omit<Reservation, 'reason'> {
  const { messageId, uploaderId, declaredSize, declaredChecksum, actor } = declaration
  const fileName = fileNameFrom(declaration.fileName)
  const contentType = contentTypeFrom(declaration.contentType, fileName)
  const file = { fileName, contentType, checksumAlgorithm: config.checksumAlgorithm, declaredSize, declaredChecksum }
  return { messageId, uploaderId, ...file, mostOfMessage: config.attachmentsPerMessage, actor }
}
