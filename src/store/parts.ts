import { crc32 } from 'node:zlib'
import type { PartBuffers } from './part-buffers.ts'

/** A run of a body's bytes in a lent buffer, checksummed while it is collected. */
export class Part {
  /** Counted from 1. */
  readonly number: number
  /** The body ended with this part. */
  isLast = false
  readonly #buffers: PartBuffers
  readonly #buffer: Buffer
  #length = 0
  #crc32 = 0

  constructor(number: number, buffers: PartBuffers) {
    this.number = number
    this.#buffers = buffers
    this.#buffer = buffers.take()
  }

  get isFull(): boolean {
    return this.#length === this.#buffer.length
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** CRC32, four bytes, big-endian: base64 of this is S3's `ChecksumCRC32`. */
  get checksum(): Buffer {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(this.#crc32)
    return bytes
  }

  /** Copies as much of `chunk` as there is room for and returns the rest. */
  append(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.#buffer.length - this.#length)
    this.#buffer.set(taken, this.#length)
    this.#length += taken.length
    this.#crc32 = crc32(taken, this.#crc32)
    return chunk.subarray(taken.length)
  }

  /** Gives the buffer back; {@link bytes} must not be used any more. */
  release(): void {
    this.#buffers.giveBack(this.#buffer)
  }
}

/**
 * The bytes of `body` in parts of the buffers' size; only the last is shorter, and of an empty body there is one empty
 * part. Whoever gets a part releases it. A buffer is taken when the next part is asked for, so at most one part is out
 * of the caller's sight.
 */
export async function* partsOf(
  body: AsyncIterable<Uint8Array>,
  buffers: PartBuffers,
): AsyncGenerator<Part, void, undefined> {
  let collecting: Part | undefined = new Part(1, buffers)
  const handOver = (part: Part) => {
    collecting = undefined
    return part
  }
  try {
    let part = collecting
    for await (const chunk of body) {
      for (let rest = chunk; rest.length > 0; rest = part.append(rest)) {
        // A full part waits for one more byte: without it, the part is the last.
        if (part.isFull) {
          yield handOver(part)
          part = collecting = new Part(part.number + 1, buffers)
        }
      }
    }
    part.isLast = true
    yield handOver(part)
  } finally {
    collecting?.release()
  }
}
