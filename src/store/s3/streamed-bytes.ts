import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { assertSize } from '#store/exact-size.ts'
import { trailerHeaders, withTrailer } from './aws-chunked.ts'
import { base64Of, checksumBytes, Payload } from './payload.ts'

/**
 * Bytes of known number that go straight from their source to the store. They are kept nowhere, so once the first has
 * left they cannot be sent again.
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
   * @param onFailure told when the source fails or has another number of bytes: the request must be broken off
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

  /** Whether a byte has left. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Whether the source has ended well, with the last byte handed over. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  open(): Readable {
    if (this.#isBegun) throw new Error('The store failed when the bytes were on their way; they were not kept')
    const bytes = this.#bytes()
    const sent = this.#withChecksum ? withTrailer(bytes, this.size, () => base64Of(this.checksum)) : bytes
    const body = Readable.from(sent, { objectMode: false, highWaterMark: 1 })
    // Told by `onFailure`; nobody else listens, and an error nobody listens for would end the process.
    return body.on('error', () => {})
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
        // Without a trailer the last byte makes the object, so it waits until the source has ended well.
        else if (count === this.size) last = Uint8Array.from(chunk.subarray(-1))
        const now = last ? chunk.subarray(0, -1) : chunk
        if (now.length > 0) yield now
      }
      assertSize(count, this.size)
      this.#isWhole = true
      if (last) yield last
    } catch (error) {
      this.#onFailure(error)
      throw error
    }
  }
}
