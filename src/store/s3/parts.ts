import { crc32 } from 'node:zlib'
import { base64Of, checksumBytes } from '#store/crc32.ts'
import { sizeDiffers } from '#store/errors.ts'
import { type BufferLease, blockSize } from './buffer-pool.ts'
import { Payload } from './http/payload.ts'

/** Consecutive bytes of a body in blocks of the pool, checksummed while they are collected. Can be sent again. */
export class Part extends Payload {
  /** Counted from 1. */
  readonly number: number
  /** The body ended with this part. */
  isLast = false
  readonly #lease: BufferLease
  readonly #withChecksum: boolean
  readonly #blocks: Buffer[] = []
  #room = 0
  #size = 0
  #crc32 = 0

  constructor(number: number, lease: BufferLease, withChecksum: boolean) {
    super()
    this.number = number
    this.#lease = lease
    this.#withChecksum = withChecksum
  }

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size === this.#lease.partSize
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

  /** Copies as much of `chunk` as the part has room for, and returns the rest. */
  async append(chunk: Uint8Array): Promise<Uint8Array> {
    let rest = chunk
    while (rest.length > 0 && !this.isFull) {
      if (this.#room === 0) await this.#addBlock()
      rest = this.#fill(rest)
    }
    return rest
  }

  open(): Iterable<Buffer> {
    return this.#blocks.map((block, index) => block.subarray(0, this.#size - index * blockSize))
  }

  /** Returns the blocks to the pool. No request may read them any more. */
  release(): void {
    for (const block of this.#blocks.splice(0)) this.#lease.release(block)
  }

  async #addBlock(): Promise<void> {
    this.#blocks.push(await this.#lease.acquire())
    this.#room = Math.min(blockSize, this.#lease.partSize - this.#size)
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
 * The bytes of `body` in parts of the lease's size. Only the last part is shorter; an empty body has one empty part. The
 * consumer releases each part.
 */
export async function* partsOf(
  body: AsyncIterable<Uint8Array>,
  lease: BufferLease,
  withChecksums: boolean,
): AsyncGenerator<Part, void, undefined> {
  let collecting: Part | undefined = new Part(1, lease, withChecksums)
  const handOver = (part: Part) => {
    collecting = undefined
    return part
  }
  try {
    let part = collecting
    for await (const chunk of body) {
      for (let rest = chunk; rest.length > 0; rest = await part.append(rest)) {
        // A full part waits for one more byte: only then it is known not to be the last.
        if (part.isFull) {
          yield handOver(part)
          part = collecting = new Part(part.number + 1, lease, withChecksums)
        }
      }
    }
    part.isLast = true
    yield handOver(part)
  } finally {
    collecting?.release()
  }
}

/**
 * All of `body` in one part, which the caller releases.
 * @param lease its part size is the number of bytes that the body has
 * @throws StowageError `internal` for a body of another length; or the body's own error
 */
export async function collectExactly(
  body: AsyncIterable<Uint8Array>,
  lease: BufferLease,
  withChecksum: boolean,
): Promise<Part> {
  const parts = partsOf(body, lease, withChecksum)
  const { value: part } = (await parts.next()) as IteratorYieldResult<Part>
  await parts.return()
  if (part.isLast && part.isFull) return part
  part.release()
  throw sizeDiffers(part.isLast ? part.size : part.size + 1, lease.partSize)
}
