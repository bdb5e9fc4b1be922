import { crc32 } from 'node:zlib'
import { base64Of, checksumBytes } from '#store/crc32.ts'
import { sizeDiffers } from '#store/errors.ts'
import { trailerHeaders, withTrailer } from './aws-chunked.ts'

/** The body of one request, which is opened anew for every attempt. */
export abstract class Payload {
  /** Bytes, without those that an encoding adds. */
  abstract readonly size: number
  /** The headers that describe the body; they are signed in its place. */
  abstract readonly headers: Record<string, string>
  /** CRC32 of the bytes, four bytes, big-endian; complete when the last byte has been sent. */
  abstract readonly checksum: Buffer
  /** @throws Error when the bytes cannot be sent once more */
  abstract open(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/**
 * A body of known length that goes straight from its source to the store. None of it is kept, so it cannot be sent again
 * after the first byte has left.
 */
export class StreamedBytes extends Payload {
  readonly size: number
  readonly headers: Record<string, string>
  readonly #withChecksum: boolean
  readonly #source: AsyncIterable<Uint8Array>
  readonly #onFailure: (error: unknown) => void
  #crc32 = 0
  #isBegun = false
  #isWhole = false

  /**
   * @param source has exactly `size` bytes, or fails
   * @param onFailure called when the source fails or has another number of bytes, to abort the request
   */
  constructor(
    source: AsyncIterable<Uint8Array>,
    size: number,
    { withChecksum, onFailure }: { withChecksum: boolean; onFailure: (error: unknown) => void },
  ) {
    super()
    this.size = size
    this.headers = withChecksum
      ? trailerHeaders(size)
      : { 'content-length': String(size), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }
    this.#source = source
    this.#withChecksum = withChecksum
    this.#onFailure = onFailure
  }

  get checksum(): Buffer {
    return checksumBytes(this.#crc32)
  }

  /** Whether the source has been read. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Whether the source has ended without a failure and its last byte was handed over. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  open(): AsyncIterable<Uint8Array> {
    if (this.#isBegun) throw new Error('The store failed when the bytes were on their way; they were not kept')
    const bytes = this.#bytes()
    return this.#withChecksum ? withTrailer(bytes, this.size, () => base64Of(this.checksum)) : bytes
  }

  async *#bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#isBegun = true
    let count = 0
    let last: Uint8Array | undefined
    try {
      for await (const chunk of this.#source) {
        count += chunk.length
        if (count > this.size) break
        if (chunk.length === 0) continue
        if (this.#withChecksum) this.#crc32 = crc32(chunk, this.#crc32)
        // Without a trailer the last byte makes the object, so it waits until the source has ended without a failure.
        else if (count === this.size) last = Uint8Array.from(chunk.subarray(-1))
        const now = last ? chunk.subarray(0, -1) : chunk
        if (now.length > 0) yield now
      }
      if (count !== this.size) throw sizeDiffers(count, this.size)
      this.#isWhole = true
      if (last) yield last
    } catch (error) {
      this.#onFailure(error)
      throw error
    }
  }
}
