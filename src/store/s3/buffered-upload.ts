import { exactly } from '#store/exact-size.ts'
import type { Stored } from '#store/object-store.ts'
import { MultipartUpload } from './multipart.ts'
import { bestPartSize, leastPartSize } from './part-size.ts'
import { type Part, partsOf } from './parts.ts'
import { putObject } from './put.ts'
import type { UploadTask } from './sending.ts'

/** Parts under way while the next is collected. */
const mostSending = 2

/**
 * Collects a body in parts and sends each when it is full, so that the store can be tried again with any of them. A body
 * that fits a part becomes an object in a single request, a longer one a multipart upload, whose parts all have the same
 * size except the last: some stores insist on it.
 */
export async function uploadBuffered(
  { store, key, body, signal, fail, onUpload }: UploadTask,
  { size, atMost = Infinity }: { size: number | undefined; atMost: number | undefined },
): Promise<Stored> {
  const most = Math.min(atMost, store.maxObjectSize)
  const { partSize: least = leastPartSize(most), partSize: best = bestPartSize(most) } = store
  using allowance = store.buffers.open(least, best)
  const multipart = new MultipartUpload(store, key, signal, onUpload)
  const sending = new Set<Promise<void>>()
  const whole = size === undefined ? body : exactly(body, size)
  try {
    for await (const part of partsOf(whole, allowance, store.checksums)) {
      if (part.number === 1 && part.isLast) return await released(part, putObject(store, key, part, signal))
      while (sending.size === mostSending) await Promise.race(sending)
      const sent: Promise<void> = released(part, multipart.send(part.number, part))
        .catch(fail)
        .finally(() => sending.delete(sent))
      sending.add(sent)
    }
    await Promise.all(sending)
    signal.throwIfAborted()
    return await multipart.complete()
  } catch (error) {
    fail(error)
    throw error
  } finally {
    await Promise.all(sending)
  }
}

async function released<T>(part: Part, sent: Promise<T>): Promise<T> {
  try {
    return await sent
  } finally {
    part.release()
  }
}
