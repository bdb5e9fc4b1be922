import type { MultipartSession, PutOptions, Stored, StoredPart } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { beginUpload, completeUpload, sendPart } from './multipart.ts'
import { bestPartSize, leastPartSize } from './part-size.ts'
import { type Part, partsOf } from './parts.ts'
import { putObject } from './put.ts'
import type { Transfer } from './transfer.ts'

/** The most parts being sent while the next is collected. */
const mostSending = 2

/**
 * Collects a body of unknown length in parts and sends each when it is full, so that any of them can be sent again. A body
 * that fits one part becomes an object in a single request; a longer one in a multipart upload, whose parts all have the
 * same size except the last, as some stores require.
 */
export async function uploadBuffered(
  store: S3Bucket,
  key: string,
  { body, signal, fail }: Transfer,
  { atMost = Infinity, onUpload }: Pick<PutOptions, 'atMost' | 'onUpload'>,
): Promise<Stored> {
  const most = Math.min(atMost, store.maxObjectSize)
  const { partSize: least = leastPartSize(most), partSize: best = bestPartSize(most) } = store
  using lease = store.buffers.open(least, best)
  let session: Promise<MultipartSession> | undefined
  const stored: StoredPart[] = []
  const send = async (part: Part) => {
    signal.throwIfAborted()
    session ??= beginUpload(store, key, lease.partSize, onUpload)
    stored.push(await sendPart(store, await session, part.number, part, signal))
  }
  const sending = new Set<Promise<void>>()
  try {
    for await (const part of partsOf(body, lease, store.checksums)) {
      if (part.number === 1 && part.isLast) return await released(part, putObject(store, key, part, signal))
      while (sending.size === mostSending) await Promise.race(sending)
      const sent: Promise<void> = released(part, send(part))
        .catch(fail)
        .finally(() => sending.delete(sent))
      sending.add(sent)
    }
    await Promise.all(sending)
    signal.throwIfAborted()
    return await completeUpload(store, await (session as Promise<MultipartSession>), stored)
  } catch (error) {
    fail(error)
    throw error
  } finally {
    await Promise.all(sending)
  }
}

/** Releases a part when its request has ended. */
async function released<T>(part: Part, sent: Promise<T>): Promise<T> {
  try {
    return await sent
  } finally {
    part.release()
  }
}
