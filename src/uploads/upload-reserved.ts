import type { AppContext } from '#app-context.ts'
import { StowageError, tooLarge } from '#domain/errors.ts'
import type { Attachment } from '#persistence/transitions.ts'
import type { ReservedFile, UploadRequest } from './incoming-file.ts'
import { isRepeat, receiveRepeat } from './repeated-upload.ts'
import { upload } from './upload.ts'

/**
 * Uploads the bytes of an attachment that awaits them: a reservation, or one whose attempts failed. Bytes that are already there are
 * received again when their digest is sent along, and change nothing.
 * @returns the attachment, Ready
 * @throws StowageError `too_large`, `invalid` when size or digest are not as reserved, `conflict` when the bytes are there
 *   or on their way: then nothing has changed; after that as {@link upload} does
 */
export async function uploadReserved(
  context: AppContext,
  request: UploadRequest,
  file: ReservedFile,
): Promise<Attachment> {
  const { attachment, declaredSize } = file
  if (declaredSize > context.config.maxFileSize) throw tooLarge(context.config.maxFileSize)
  requireAsReserved(file)
  if (isRepeat(file)) {
    using _slot = context.takeUploadSlot(request.actor)
    await receiveRepeat(file, request.signal)
    return attachment
  }
  const [uploaded] = await upload(context, request, [file])
  return uploaded as Attachment
}

function requireAsReserved({ attachment, declaredSize: size, digests }: ReservedFile): void {
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
