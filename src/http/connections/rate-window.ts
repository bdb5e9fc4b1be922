/** Over how many pieces of a window a rate is measured. */
const pieces = 30

/**
 * Whether a transfer goes on fast enough, over the last window of the time in which the other side could go on. A pause
 * within the window counts, but does no harm by itself.
 */
export class RateWindow {
  readonly #bytesPerSecond: number
  readonly #window: number
  readonly #counted: { bytes: number; milliseconds: number }[] = []
  #bytes = 0
  #milliseconds = 0

  /**
   * @param bytesPerSecond 0: every rate is enough
   * @param window milliseconds
   */
  constructor(bytesPerSecond: number, window: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#window = window
  }

  /** How often to look, in milliseconds. */
  get piece(): number {
    return this.#window / pieces
  }

  /** Counts what has come or gone in a stretch of time. */
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
