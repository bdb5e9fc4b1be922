import { sizeDiffers } from '#store/errors.ts'
import type { PutOptions, Stored, StoredPart } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { beginUpload, completeUpload, sendPart } from './multipart.ts'
import { streamed, type Transfer } from './transfer.ts'

/**
 * Sends a body that is longer than a request may be while it arrives, in as few parts as the limit allows, and keeps none of
 * it. So a part can be sent again only until the store has asked for its first byte.
 */
export async function uploadStreaming(
  store: S3Bucket,
  key: string,
  { body, signal, fail }: Transfer,
  { size, onUpload }: { size: number; onUpload: PutOptions['onUpload'] },
): Promise<Stored> {
  const { largestRequest } = store
  signal.throwIfAborted()
  const session = await beginUpload(store, key, largestRequest, onUpload)
  const slices = new Slices(body)
  const parts: StoredPart[] = []
  for (let sent = 0; sent < size; sent += largestRequest) {
    signal.throwIfAborted()
    const count = Math.min(largestRequest, size - sent)
    const payload = streamed(store, slices.next(count), count, fail)
    parts.push(await sendPart(store, session, parts.length + 1, payload, signal))
  }
  if (!(await slices.isAtEnd())) throw sizeDiffers(size + 1, size)
  return await completeUpload(store, session, parts)
}

/** Cuts a body into consecutive slices of given lengths, without keeping or copying its bytes. */
export class Slices {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  /** The next `size` bytes, or fewer when the body ends. To be read to the end before the next call. */
  async *next(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = size; left > 0; ) {
      const chunk = await this.#chunk()
      if (chunk === undefined) return
      const taken = chunk.subarray(0, left)
      this.#rest = chunk.subarray(taken.length)
      left -= taken.length
      yield taken
    }
  }

  /** Whether no byte is left. */
  async isAtEnd(): Promise<boolean> {
    this.#rest = (await this.#chunk()) ?? this.#rest
    return this.#rest.length === 0
  }

  async #chunk(): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done) return undefined
      this.#rest = value
    }
    return this.#rest
  }
}
