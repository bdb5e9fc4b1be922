import { StowageError } from '../errors.ts'

/** How many upload requests this replica takes at once, since each holds memory for one part. */
export class UploadSlots {
  readonly #most: number
  #taken = 0
  #whenFree: (() => void)[] = []

  constructor(most: number) {
    this.#most = most
  }

  get taken(): number {
    return this.#taken
  }

  /** Resolves as soon as none is taken. */
  async allFree(): Promise<void> {
    if (this.#taken > 0) await new Promise<void>((resolve) => this.#whenFree.push(resolve))
  }

  /** Taken until disposed. @throws StowageError `busy` when there is none */
  take(): Disposable {
    if (this.#taken >= this.#most)
      throw new StowageError('busy', 'Too many uploads at once. Try again in a few seconds.')
    this.#taken += 1
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#taken -= 1
        held = false
        if (this.#taken === 0) for (const resolve of this.#whenFree.splice(0)) resolve()
      },
    }
  }
}
