const mebibyte = 1024 * 1024

/** Bytes of a block: small, since every part has one that is not full yet. */
export const blockSize = mebibyte / 4

/** How many blocks may be out before the spare is closed: with so many uploads, memory is dearer than overlap. */
const sharedLimit = (256 * mebibyte) / blockSize

/** Blocks that are kept when none is acquired any more. */
const keptFree = (64 * mebibyte) / blockSize

/**
 * The memory in which bodies of unknown length are collected into parts: blocks that are acquired and released. Left to
 * the garbage collector, which frees large memory late, there would be far more of them. Every upload is sure of one part,
 * however many there are, so none waits for ever; what it takes beyond that, to collect a part while the one before is
 * being sent, comes out of a spare that all uploads share. So never more than `uploads × part + spare` bytes are out.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #waiting: (() => void)[] = []
  #spare: number
  #lent = 0

  /** @param spare bytes that all uploads share */
  constructor(spare: number) {
    this.#spare = blocksOf(spare)
  }

  /** How many blocks are out at present. */
  get acquired(): number {
    return this.#lent
  }

  /** How many blocks wait for the next taker. */
  get free(): number {
    return this.#free.length
  }

  /**
   * The share of one upload, until disposed: parts of `wanted` bytes if the spare can give what they need beyond `least`,
   * else of `least`.
   */
  open(least: number, wanted = least): BufferLease {
    const beyond = blocksOf(wanted) - blocksOf(least)
    if (beyond > this.#shareable) return new BufferLease(this, least)
    this.#spare -= beyond
    return new BufferLease(this, wanted, () => this.#giveSpare(beyond))
  }

  /**
   * For {@link BufferLease}. @param isReserved not out of the shared blocks
   * @returns a block with arbitrary content; `undefined` when the spare is used up
   */
  acquire(isSure: boolean): Buffer | undefined {
    if (!isSure && this.#shareable === 0) return undefined
    if (!isSure) this.#spare -= 1
    this.#lent += 1
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(blockSize)
  }

  /** For {@link BufferLease}. Nobody may read or write the block any more, the kernel included. */
  release(block: Buffer, wasSure: boolean): void {
    this.#lent -= 1
    this.#free.push(block)
    if (this.#lent === 0) this.#free.splice(keptFree)
    this.#giveSpare(wasSure ? 0 : 1)
  }

  /** For {@link BufferLease}. Resolves when a block has come back, whoever had it. */
  nextReturn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Forgets the free blocks. */
  clear(): void {
    this.#free.length = 0
  }

  /** Blocks of the spare that may be had now. */
  get #shareable(): number {
    return this.#lent < sharedLimit ? this.#spare : 0
  }

  #giveSpare(blocks: number): void {
    this.#spare += blocks
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** What one upload may hold. */
export class BufferLease implements Disposable {
  /** Bytes of a part. */
  readonly partSize: number
  readonly #memory: BufferPool
  readonly #close: (() => void) | undefined
  #held = 0

  constructor(memory: BufferPool, partSize: number, close?: () => void) {
    this.partSize = partSize
    this.#memory = memory
    this.#close = close
  }

  /** A block, the taker's alone until it is given back. Waits, while the spare is used up, until a part has been sent. */
  async acquire(): Promise<Buffer> {
    for (;;) {
      const block = this.#memory.acquire(this.#isSure)
      if (block) {
        this.#held += 1
        return block
      }
      await this.#memory.nextReturn()
    }
  }

  release(block: Buffer): void {
    this.#held -= 1
    this.#memory.release(block, this.#isSure)
  }

  /** Every block has been given back. */
  [Symbol.dispose](): void {
    this.#close?.()
  }

  /** Whether the next block to be taken is one of the first part's. */
  get #isSure(): boolean {
    return this.#held < blocksOf(this.partSize)
  }
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / blockSize)
}
