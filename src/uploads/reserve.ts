import { messageNotFound } from '#auth/permissions.ts'
import type { Deps } from '#deps.ts'
import { contentTypeFrom } from '#domain/content-type.ts'
import { StowageError } from '#domain/errors.ts'
import { fileNameFrom } from '#domain/file-name.ts'
import { failpoint } from '#failpoints.ts'
import { awaitsAsMany, holds, holdsAsMany } from '#persistence/caps.ts'
import { type Attachment, insertReserved, type Reservation } from '#persistence/transitions.ts'
import { tooLarge } from './ingest.ts'

/** A file that is about to arrive, now or later. */
export interface Announced {
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
  deps: Pick<Deps, 'db' | 'config'>,
  announced: Announced & { declaredSize: number },
): Promise<Attachment> {
  const reservation = { ...reservationOf(deps, announced), declaredSize: announced.declaredSize }
  if (announced.declaredSize > deps.config.maxFileSize) throw tooLarge(deps.config.maxFileSize)
  failpoint('before-reserve')
  const most = deps.config.reservationsPerUser
  const reason = 'The client announced the file.'
  const reserved = await insertReserved(deps.db, { ...reservation, reason }, most)
  failpoint('after-reserve')
  if (reserved === undefined) {
    if (await holds(deps.db, awaitsAsMany(announced.uploaderId, most))) throw tooManyReserved(most)
    throw await noPlaceFor(deps, announced)
  }
  return reserved
}

function tooManyReserved(most: number): StowageError {
  const text = `You have ${most} attachments that await their bytes. Send these, or delete some, before you announce more.`
  return new StowageError('rate_limited', text)
}

/** The error for a message that takes no further attachment. */
export async function noPlaceFor(
  { db, config }: Pick<Deps, 'db' | 'config'>,
  { messageId }: Pick<Announced, 'messageId'>,
): Promise<StowageError> {
  const most = config.attachmentsPerMessage
  if (!(await holds(db, holdsAsMany(messageId, most)))) return messageNotFound()
  return new StowageError('conflict', `The message has ${most} attachments, and takes no more. Use another message.`)
}

/** @throws StowageError `invalid` for a bad name */
export function reservationOf({ config }: Pick<Deps, 'config'>, announced: Announced): Omit<Reservation, 'reason'> {
  const { messageId, uploaderId, declaredSize, declaredChecksum, actor } = announced
  const fileName = fileNameFrom(announced.fileName)
  const contentType = contentTypeFrom(announced.contentType, fileName)
  const file = { fileName, contentType, checksumAlgorithm: config.checksumAlgorithm, declaredSize, declaredChecksum }
  return { messageId, uploaderId, ...file, mostOfMessage: config.attachmentsPerMessage, actor }
}
