import { assertSize } from '#store/exact-size.ts'
import type { Stored } from '#store/object-store.ts'
import { MultipartUpload } from './multipart.ts'
import { putObject } from './put.ts'
import type { UploadTask } from './sending.ts'
import { Slices } from './slices.ts'
import { StreamedBytes } from './streamed-bytes.ts'

/**
 * Sends a body of known length while it arrives, in a single request, or in as few parts as the store's limit allows, and
 * keeps nothing of it. So the store can be tried again only until it has asked for the first byte.
 */
export async function uploadStreaming(sending: UploadTask, size: number): Promise<Stored> {
  const { store, key, body, signal, fail, onUpload } = sending
  const { largestRequest, checksums } = store
  const streamed = (bytes: AsyncIterable<Uint8Array>, count: number) =>
    new StreamedBytes(bytes, count, { withChecksum: checksums, onFailure: fail })
  if (size <= largestRequest) return await putObject(store, key, streamed(body, size), signal)

  const multipart = new MultipartUpload(store, key, signal, onUpload)
  const source = new Slices(body)
  for (let sent = 0, number = 1; sent < size; sent += largestRequest, number += 1) {
    const count = Math.min(largestRequest, size - sent)
    await multipart.send(number, streamed(source.next(count), count))
  }
  if (!(await source.isAtEnd())) assertSize(size + 1, size)
  return await multipart.complete()
}
