/**
 * Buffers of one size, lent out and taken back, so that there are never more of them than were needed at once. Left to
 * the garbage collector, which frees large memory late, they would be.
 */
export class PartBuffers {
  /** Bytes of each buffer. */
  readonly size: number
  readonly #keep: number
  readonly #free: Buffer[] = []
  #lent = 0

  /**
   * @param size bytes of each buffer
   * @param keep how many stay when none is lent any more
   */
  constructor(size: number, keep: number) {
    this.size = size
    this.#keep = keep
  }

  /** How many buffers are out at present. */
  get lent(): number {
    return this.#lent
  }

  /** How many buffers wait for the next taker. */
  get free(): number {
    return this.#free.length
  }

  /** A buffer with arbitrary content, the taker's alone until it is given back. */
  take(): Buffer {
    this.#lent += 1
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size)
  }

  /** Takes a buffer back. Nobody may read or write it any more, the kernel included. */
  giveBack(buffer: Buffer): void {
    this.#lent -= 1
    this.#free.push(buffer)
    if (this.#lent === 0) this.#free.splice(this.#keep)
  }

  /** Forgets the free buffers. */
  clear(): void {
    this.#free.length = 0
  }
}
