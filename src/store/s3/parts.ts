import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { type BufferLease, blockSize } from './buffer-pool.ts'
import { base64Of, checksumBytes, Payload } from './payload.ts'

/** A run of a body's bytes in lent blocks, checksummed while it is collected. Can be sent again. */
export class Part extends Payload {
  /** Counted from 1. */
  readonly number: number
  /** The body ended with this part. */
  isLast = false
  readonly #allowance: BufferLease
  readonly #withChecksum: boolean
  readonly #blocks: Buffer[] = []
  #room = 0
  #size = 0
  #crc32 = 0

  constructor(number: number, allowance: BufferLease, withChecksum: boolean) {
    super()
    this.number = number
    this.#allowance = allowance
    this.#withChecksum = withChecksum
  }

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size === this.#allowance.partSize
  }

  get checksum(): Buffer {
    return checksumBytes(this.#crc32)
  }

  get headers(): Record<string, string> {
    return {
      'content-length': String(this.#size),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      ...(this.#withChecksum && { 'x-amz-checksum-crc32': base64Of(this.checksum) }),
    }
  }

  /** Takes as much of `chunk` as there is room for in the part, and returns the rest. */
  async append(chunk: Uint8Array): Promise<Uint8Array> {
    let rest = chunk
    while (rest.length > 0 && !this.isFull) {
      if (this.#room === 0) await this.#addBlock()
      rest = this.#fill(rest)
    }
    return rest
  }

  open(): Buffer | Readable {
    const filled = this.#blocks.map((block, index) => block.subarray(0, this.#size - index * blockSize))
    return filled.length > 1 ? Readable.from(filled) : (filled[0] ?? Buffer.alloc(0))
  }

  /** Gives the blocks back; nobody may read them any more. */
  release(): void {
    for (const block of this.#blocks.splice(0)) this.#allowance.release(block)
  }

  async #addBlock(): Promise<void> {
    this.#blocks.push(await this.#allowance.acquire())
    this.#room = Math.min(blockSize, this.#allowance.partSize - this.#size)
  }

  #fill(chunk: Uint8Array): Uint8Array {
    const block = this.#blocks.at(-1) as Buffer
    const taken = chunk.subarray(0, this.#room)
    block.set(taken, this.#size % blockSize)
    this.#size += taken.length
    this.#room -= taken.length
    if (this.#withChecksum) this.#crc32 = crc32(taken, this.#crc32)
    return chunk.subarray(taken.length)
  }
}

/**
 * The bytes of `body` in parts of the allowance's size; only the last is shorter, and of an empty body there is one empty
 * part. Whoever gets a part releases it.
 */
export async function* partsOf(
  body: AsyncIterable<Uint8Array>,
  allowance: BufferLease,
  withChecksums: boolean,
): AsyncGenerator<Part, void, undefined> {
  let collecting: Part | undefined = new Part(1, allowance, withChecksums)
  const handOver = (part: Part) => {
    collecting = undefined
    return part
  }
  try {
    let part = collecting
    for await (const chunk of body) {
      for (let rest = chunk; rest.length > 0; rest = await part.append(rest)) {
        // A full part waits for one more byte: without it, the part is the last.
        if (part.isFull) {
          yield handOver(part)
          part = collecting = new Part(part.number + 1, allowance, withChecksums)
        }
      }
    }
    part.isLast = true
    yield handOver(part)
  } finally {
    collecting?.release()
  }
}
