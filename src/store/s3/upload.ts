import { abortable } from '#async/abortable.ts'
import type { PutOptions, Stored } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { blockSize } from './buffer-pool.ts'
import { uploadBuffered } from './buffered-upload.ts'
import type { UploadTask } from './sending.ts'
import { uploadStreaming } from './streaming-upload.ts'

/**
 * Stores a body. One of known length goes straight through; one of unknown length, or so short that keeping it for a second
 * try costs nothing, is collected first. However it ends, nothing is being sent any more when it does.
 * @throws the body's own error, the signal's reason, or StowageError `storage_unavailable`
 */
export async function upload(
  store: S3Bucket,
  key: string,
  body: AsyncIterable<Uint8Array>,
  { signal: caller, size, atMost, onUpload }: PutOptions,
): Promise<Stored> {
  const failure = new AbortController()
  const signal = AbortSignal.any([caller, failure.signal])
  const fail = (error: unknown) => failure.abort(error)
  const source = abortable(body, signal)
  const sending: UploadTask = { store, key, body: source, signal, fail, onUpload }
  try {
    if (size !== undefined && size > blockSize) return await uploadStreaming(sending, size)
    return await uploadBuffered(sending, { size, atMost: size ?? atMost })
  } catch (error) {
    fail(error)
    throw error
  } finally {
    await source.return()
  }
}
