import { createHash } from 'node:crypto'
import type { AppContext } from '#app-context.ts'
import { abortable } from '#async/abortable.ts'
import { StowageError, tooLarge } from '#domain/errors.ts'
import { readyState } from '#domain/states.ts'
import type { Attachment } from '#persistence/schema.ts'
import type { ReservedFile, UploadRequest } from './incoming-file.ts'
import { upload } from './upload.ts'
import { ChecksumMismatch } from './verify.ts'

/**
 * Uploads the bytes of an attachment that awaits them: a reservation, or an attachment whose attempts failed. A repeated upload of the
 * stored bytes, with a digest, is read and compared, and changes nothing.
 * @returns the attachment, Ready
 * @throws StowageError `too_large`, `invalid` for a size or digest other than reserved, `conflict` when the bytes have arrived or are
 *   arriving; all three before anything changes. Later the errors of {@link upload}
 */
export async function uploadReserved(
  context: AppContext,
  request: UploadRequest,
  file: ReservedFile,
): Promise<Attachment> {
  const { attachment, declaredSize } = file
  if (declaredSize > context.config.maxFileSize) throw tooLarge(context.config.maxFileSize)
  assertMatchesReservation(file)
  if (isRepeat(file)) {
    using _slot = context.takeUploadSlot(request.actor)
    await receiveRepeat(file, request.signal)
    return attachment
  }
  const [uploaded] = await upload(context, request, [file])
  return uploaded as Attachment
}

function assertMatchesReservation({ attachment, declaredSize: size, digests }: ReservedFile): void {
  const { declaredSize, declaredChecksum, fileChecksumAlgorithm } = attachment
  if (declaredSize !== null && declaredSize !== size)
    throw new StowageError(
      'invalid',
      `The body has ${size} bytes, but ${declaredSize} were reserved. Send the file that was announced.`,
    )
  const declared = digests.find(({ algorithm }) => algorithm === fileChecksumAlgorithm)
  if (declared && declaredChecksum !== null && declared.hex !== declaredChecksum)
    throw new StowageError(
      'invalid',
      `The ${declared.algorithm} sent along is ${declared.hex}, but ${declaredChecksum} was reserved. Correct one of them.`,
    )
}

/** Whether the client declares the bytes that are already stored, as in a retry after a lost response. */
function isRepeat({ attachment, declaredSize, digests }: ReservedFile): boolean {
  const { state, fileSize, fileChecksum, fileChecksumAlgorithm } = attachment
  const declared = digests.find(({ algorithm }) => algorithm === fileChecksumAlgorithm)
  const mayBeSame = declared === undefined ? digests.length > 0 : declared.hex === fileChecksum
  return state === readyState && fileSize === declaredSize && mayBeSame
}

/**
 * Reads repeated bytes to their end and compares them with the attachment, which stays unchanged.
 * @throws StowageError `checksum_mismatch` for bytes other than declared, `conflict` for bytes other than stored; the reason of
 *   `signal`
 */
async function receiveRepeat({ attachment, digests, body }: ReservedFile, signal: AbortSignal): Promise<void> {
  const { fileChecksum, fileChecksumAlgorithm } = attachment
  const algorithms = new Set([fileChecksumAlgorithm, ...digests.map(({ algorithm }) => algorithm)])
  const hashes = new Map([...algorithms].map((algorithm) => [algorithm, createHash(algorithm)]))
  for await (const chunk of abortable(body, signal)) for (const hash of hashes.values()) hash.update(chunk)
  const computed = new Map([...hashes].map(([algorithm, hash]) => [algorithm, hash.digest('hex')]))
  for (const { algorithm, hex } of digests)
    if (computed.get(algorithm) !== hex) throw new ChecksumMismatch(algorithm, hex, computed.get(algorithm))
  if (computed.get(fileChecksumAlgorithm) !== fileChecksum)
    throw new StowageError('conflict', 'Other bytes of this attachment are there. Read it again.')
}
