import { createHash } from 'node:crypto'
import type { ObjectStore } from './object-store.ts'

/** Size and digest of the bytes under a key. */
export interface ObjectHash {
  /** Bytes. */
  size: number
  /** Lower-case hex. */
  digest: string
}

/**
 * Reads every byte under a key and keeps none of them.
 * @param algorithm of the digest
 * @param afterChunk called with the number of bytes just read, and awaited before the next are read
 * @throws StowageError `not_found` when there is no object under the key, `storage_unavailable`; or the signal's reason
 */
export async function hashObject(
  store: ObjectStore,
  key: string,
  algorithm: string,
  signal: AbortSignal,
  afterChunk: (bytes: number) => Promise<void> | void = () => {},
): Promise<ObjectHash> {
  const hash = createHash(algorithm)
  let size = 0
  for await (const chunk of await store.get(key, { signal, isInBackground: true })) {
    hash.update(chunk)
    size += chunk.length
    await afterChunk(chunk.length)
  }
  return { size, digest: hash.digest('hex') }
}
