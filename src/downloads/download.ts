import type { Readable } from 'node:stream'
import type { AppContext } from '#app-context.ts'
import { attachmentNotFound, StowageError } from '#domain/errors.ts'
import { isNamed } from '#domain/file-name.ts'
import { readyState } from '#domain/states.ts'
import { findObjectKey } from '#persistence/objects.ts'
import type { FoundAttachment } from '#persistence/queries.ts'
import type { Attachment } from '#persistence/schema.ts'
import type { ByteRange } from '#store/object-store.ts'

/** A Ready attachment: its size and digest are known. */
export type ReadyAttachment<A extends Attachment = Attachment> = A & { fileSize: number; fileChecksum: string }

/** Narrows to Ready. @throws StowageError `not_found` otherwise */
export function requireReady<A extends Attachment>(attachment: A): ReadyAttachment<A> {
  const { state, fileSize, fileChecksum } = attachment
  if (state !== readyState || fileSize === null || fileChecksum === null)
    throw new StowageError('not_found', `Attachment not found: it is not ready for download, its state is ${state}`)
  return { ...attachment, fileSize, fileChecksum }
}

/** @throws StowageError `not_found` unless the attachment goes by this name and is Ready */
export function downloadable<A extends Attachment>(attachment: A, fileName: string): ReadyAttachment<A> {
  if (!isNamed(attachment.fileName, fileName)) throw attachmentNotFound()
  return requireReady(attachment)
}

/**
 * Opens the bytes of a Ready attachment, all of them or a range. Whoever sends them on counts them: a store may send less,
 * or more, and that must never look like the file. Destroying the stream, or `signal`, closes the read.
 * @throws StowageError `storage_unavailable`, `not_found` when the attachment was deleted meanwhile
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
