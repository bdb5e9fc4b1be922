const mebibyte = 1024 * 1024

/** Bytes of a block. Small, because every part has one block that is not full yet. */
export const blockSize = mebibyte / 4

/** Blocks in use from which on no shared block is handed out: with so many uploads, memory is scarcer than time. */
const sharedLimit = (256 * mebibyte) / blockSize

/** Free blocks that are kept when no block is in use. */
const keptFree = (64 * mebibyte) / blockSize

/**
 * The memory in which bodies of unknown length are collected into parts: blocks that are acquired and released. The garbage
 * collector frees large memory late, so without the pool there would be far more of them. Every upload has the blocks of
 * one part reserved, so none waits for ever. The blocks in which it collects a part while the one before is being sent
 * are shared by all uploads. At most `uploads × part + shared` bytes are in use.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #waiting: (() => void)[] = []
  #shared: number
  #acquired = 0

  /** @param shared bytes that all uploads share */
  constructor(shared: number) {
    this.#shared = blocksOf(shared)
  }

  /** The number of blocks in use. */
  get acquired(): number {
    return this.#acquired
  }

  /** The number of blocks that are kept for reuse. */
  get free(): number {
    return this.#free.length
  }

  /**
   * Opens the lease of one upload, until disposed. Its parts have `wanted` bytes if enough shared blocks are left for the
   * difference to `least`, which are then reserved; else `least` bytes.
   */
  open(least: number, wanted = least): BufferLease {
    const extra = blocksOf(wanted) - blocksOf(least)
    if (extra > this.#available) return new BufferLease(this, least)
    this.#shared -= extra
    return new BufferLease(this, wanted, () => this.#returnShared(extra))
  }

  /**
   * Opens the lease of an upload of exactly `size` bytes in shared blocks, which are then reserved.
   * @returns `undefined` when that is more than half of the shared blocks that are left
   */
  openShared(size: number): BufferLease | undefined {
    const blocks = blocksOf(size)
    if (blocks > this.#available / 2) return undefined
    this.#shared -= blocks
    return new BufferLease(this, size, () => this.#returnShared(blocks))
  }

  /**
   * For {@link BufferLease}. @param isReserved not one of the shared blocks
   * @returns a block with arbitrary content; `undefined` when no shared block is left
   */
  acquire(isReserved: boolean): Buffer | undefined {
    if (!isReserved && this.#available === 0) return undefined
    if (!isReserved) this.#shared -= 1
    this.#acquired += 1
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(blockSize)
  }

  /** For {@link BufferLease}. Nothing may read or write the block any more, the kernel included. */
  release(block: Buffer, wasReserved: boolean): void {
    this.#acquired -= 1
    this.#free.push(block)
    if (this.#acquired === 0) this.#free.splice(keptFree)
    this.#returnShared(wasReserved ? 0 : 1)
  }

  /** For {@link BufferLease}. Resolves when any upload has released a block. */
  nextRelease(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Drops the free blocks. */
  clear(): void {
    this.#free.length = 0
  }

  /** The number of shared blocks that can be acquired at present. */
  get #available(): number {
    return this.#acquired < sharedLimit ? this.#shared : 0
  }

  #returnShared(blocks: number): void {
    this.#shared += blocks
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** The share of one upload. */
export class BufferLease implements Disposable {
  /** Bytes of a part. */
  readonly partSize: number
  readonly #pool: BufferPool
  readonly #onDispose: (() => void) | undefined
  #held = 0

  constructor(pool: BufferPool, partSize: number, onDispose?: () => void) {
    this.partSize = partSize
    this.#pool = pool
    this.#onDispose = onDispose
  }

  /** A block for the caller alone, until released. Waits while no shared block is left. */
  async acquire(): Promise<Buffer> {
    for (;;) {
      const block = this.#pool.acquire(this.#isReserved)
      if (block) {
        this.#held += 1
        return block
      }
      await this.#pool.nextRelease()
    }
  }

  release(block: Buffer): void {
    this.#held -= 1
    this.#pool.release(block, this.#isReserved)
  }

  /** Ends the lease. Every block must have been released. */
  [Symbol.dispose](): void {
    this.#onDispose?.()
  }

  /** Whether the next block to be acquired is one of the reserved ones. */
  get #isReserved(): boolean {
    return this.#held < blocksOf(this.partSize)
  }
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / blockSize)
}
