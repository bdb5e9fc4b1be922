/** The number of intervals of a window over which a rate is measured. */
const pieces = 30

/**
 * Measures the rate of a transfer over a sliding window of the time in which the peer could have made progress. A pause lowers the
 * rate, but a short one alone does not make the transfer too slow.
 */
export class RateWindow {
  readonly #bytesPerSecond: number
  readonly #window: number
  readonly #counted: { bytes: number; milliseconds: number }[] = []
  #bytes = 0
  #milliseconds = 0

  /**
   * @param bytesPerSecond the lowest rate that is fast enough; 0 for no limit
   * @param window milliseconds
   */
  constructor(bytesPerSecond: number, window: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#window = window
  }

  /** The interval between two measurements, in milliseconds. */
  get piece(): number {
    return this.#window / pieces
  }

  /** Counts the bytes transferred in a period of time. */
  count(bytes: number, milliseconds: number): void {
    this.#counted.push({ bytes, milliseconds })
    this.#bytes += bytes
    this.#milliseconds += milliseconds
    for (let first = this.#counted[0]; first; first = this.#counted[0]) {
      if (this.#milliseconds - first.milliseconds < this.#window) return
      this.#bytes -= first.bytes
      this.#milliseconds -= first.milliseconds
      this.#counted.shift()
    }
  }

  get isTooSlow(): boolean {
    const isFull = this.#milliseconds >= this.#window
    return isFull && this.#bytes * 1000 < this.#bytesPerSecond * this.#milliseconds
  }
}
