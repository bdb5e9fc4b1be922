import type { Readable } from 'node:stream'
import type { AppContext } from '#deps.ts'
import { contentTypeFrom, unknownType } from '#domain/content-type.ts'
import { StowageError } from '#domain/errors.ts'
import type { Attachment } from '#persistence/transitions.ts'
import type { Digest } from './attempt.ts'
import { tooLarge } from './ingest.ts'
import { startReserved } from './start-attempt.ts'
import { type UploadRequest, upload } from './upload.ts'
import { isRepeat, receiveRepeat } from './upload-again.ts'

/** The bytes of an attachment that was announced before, and what comes with them. */
export interface ReservedFile {
  /** Bytes. */
  size: number
  /** As the client claims it. It counts only when nothing better was known. */
  contentType: string | undefined
  /** What the client declares besides what was reserved. */
  digests: readonly Digest[]
  openBody(): Readable
}

/**
 * Uploads the bytes of an attachment that awaits them: a reservation, or one whose attempts failed. The bytes that are
 * already there, with their digest, are taken as if they had not been.
 * @param attachment one that the caller uploads
 * @returns the attachment, Ready
 * @throws StowageError `too_large`, `invalid` when size or digest are not as reserved, `conflict` when the bytes are there
 *   or on their way: then nothing has moved; after that as `upload` does
 */
export async function uploadReserved(
  deps: AppContext,
  uploading: UploadRequest,
  attachment: Attachment,
  file: ReservedFile,
): Promise<Attachment> {
  if (file.size > deps.config.maxFileSize) throw tooLarge(deps.config.maxFileSize)
  requireAsReserved(attachment, file)
  if (isRepeat(attachment, file)) {
    using _slot = deps.takeUploadSlot(uploading.actor)
    await receiveRepeat(attachment, file, uploading.signal)
    return attachment
  }
  const [uploaded] = await upload(deps, uploading, (receive) =>
    receive({
      async begin() {
        const { actor, requestId } = uploading
        const contentType = contentTypeOf(attachment, file)
        const begun = await startReserved(deps, attachment, { contentType, actor, requestId })
        return { ...begun, declaredSize: file.size, declaredDigests: [...begun.declaredDigests, ...file.digests] }
      },
      openBody: file.openBody,
    }),
  )
  return uploaded as Attachment
}

function contentTypeOf({ contentType, fileName }: Attachment, file: ReservedFile): string {
  return contentType === unknownType ? contentTypeFrom(file.contentType, fileName) : contentType
}

function requireAsReserved(
  { declaredSize, declaredChecksum, fileChecksumAlgorithm }: Attachment,
  { size, digests }: ReservedFile,
): void {
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
