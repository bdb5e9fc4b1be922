import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { attachmentNotFound } from '../access/membership.ts'
import { findObjectKey } from '../db/objects.ts'
import type { Attachment } from '../db/transitions.ts'
import type { Deps } from '../deps.ts'
import { StowageError } from '../errors.ts'
import type { ByteRange } from '../store/object-store.ts'
import { readyState } from './states.ts'

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
  if (attachment.fileName !== fileName.normalize('NFC')) throw attachmentNotFound()
  return requireReady(attachment)
}

/**
 * Opens the bytes of a Ready attachment, all of them or a range. The stream ends after exactly as many bytes as asked
 * for, or breaks: a store that sends less never looks finished. Destroying it, or `signal`, closes the read.
 * @throws StowageError `storage_unavailable`, `not_found` when the attachment was deleted meanwhile
 */
export async function openDownload(
  { db, store }: Pick<Deps, 'db' | 'store'>,
  attachment: ReadyAttachment,
  range: ByteRange | undefined,
  signal: AbortSignal,
): Promise<Readable> {
  const expected = range ? range.last - range.first + 1 : attachment.fileSize
  const source = await openObject({ db, store }, attachment, range, signal)
  const sink = new PassThrough()
  // The outcome reaches the reader through `sink`: pipeline destroys it with the error.
  pipeline(source, (bytes: AsyncIterable<Buffer>) => exactly(bytes, expected), sink, { signal }).catch(() => {})
  return sink
}

async function openObject(
  { db, store }: Pick<Deps, 'db' | 'store'>,
  { id, attempt }: ReadyAttachment,
  range: ByteRange | undefined,
  signal: AbortSignal,
): Promise<Readable> {
  const key = await findObjectKey(db, id, attempt)
  if (key === undefined) throw attachmentNotFound()
  try {
    return await store.get(key, { ...(range && { range }), signal })
  } catch (error) {
    if (!(error instanceof StowageError) || error.code !== 'not_found') throw error
    if ((await findObjectKey(db, id, attempt)) === undefined) throw attachmentNotFound()
    throw new StowageError('storage_unavailable', 'The bytes of this attachment are missing. Tell the operator.', {
      cause: error,
    })
  }
}

async function* exactly(bytes: AsyncIterable<Buffer>, expected: number): AsyncGenerator<Buffer> {
  let count = 0
  for await (const chunk of bytes) {
    count += chunk.length
    if (count > expected) break
    yield chunk
  }
  if (count !== expected) throw new Error(`The store sent another number of bytes than the ${expected} promised`)
}
