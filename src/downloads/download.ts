import type { Readable } from 'node:stream'
import type { AppContext } from '#app-context.ts'
import { attachmentNotFound, StowageError } from '#domain/errors.ts'
import { isNamed } from '#domain/file-name.ts'
import { readyState } from '#domain/states.ts'
import { findObjectKey } from '#persistence/objects.ts'
import type { FoundAttachment } from '#persistence/queries.ts'
import type { Attachment } from '#persistence/schema.ts'
import type { ByteRange } from '#store/object-store.ts'

/** A Ready attachment, whose size and digest are known. */
export type ReadyAttachment<A extends Attachment = Attachment> = A & { fileSize: number; fileChecksum: string }

/** Narrows an attachment to a Ready one. @throws StowageError `not_found` in any other state */
export function requireReady<A extends Attachment>(attachment: A): ReadyAttachment<A> {
  const { state, fileSize, fileChecksum } = attachment
  if (state !== readyState || fileSize === null || fileChecksum === null)
    throw new StowageError('not_found', `Attachment not found: it is not ready for download, its state is ${state}`)
  return { ...attachment, fileSize, fileChecksum }
}

/** The attachment, if it is Ready and has this name. @throws StowageError `not_found` otherwise */
export function downloadable<A extends Attachment>(attachment: A, fileName: string): ReadyAttachment<A> {
  if (!isNamed(attachment.fileName, fileName)) throw attachmentNotFound()
  return requireReady(attachment)
}

/**
 * Opens the bytes of a Ready attachment, whole or a range. The caller must count the bytes that it passes on: a store may send
 * too few or too many, and the result must never look like the file. Destroying the stream, or aborting `signal`, closes the read.
 * @throws StowageError `storage_unavailable`; `not_found` when the attachment was deleted in the meantime
 */
export async function openDownload(
  { db, store }: Pick<AppContext, 'db' | 'store'>,
  { id, attempt, objectKey }: ReadyAttachment<FoundAttachment>,
  range: ByteRange | undefined,
  signal: AbortSignal,
): Promise<Readable> {
  if (objectKey === null) throw attachmentNotFound()
  try {
    return await store.get(objectKey, { ...(range && { range }), signal })
  } catch (error) {
    if (!(error instanceof StowageError) || error.code !== 'not_found') throw error
    if ((await findObjectKey(db, id, attempt)) === undefined) throw attachmentNotFound()
    throw new StowageError('storage_unavailable', 'The bytes of this attachment are missing. Tell the operator.', {
      cause: error,
    })
  }
}
