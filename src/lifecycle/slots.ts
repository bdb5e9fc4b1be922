import { StowageError } from '../errors.ts'

export interface SlotLimits {
  /** Of all together. */
  most: number
  /** Of one owner. Unset: a quarter, so that nobody can take them all. */
  perOwner: number | undefined
  /** What is said when there are no more. */
  whenFull: string
  /** What is said to an owner that has too many. */
  whenTooMany: string
}

/** How many transfers of a kind this replica has under way at once, since each holds memory and sockets, and whose they are. */
export class Slots {
  readonly #limits: SlotLimits
  readonly #perOwner: number
  readonly #takenBy = new Map<string, number>()
  #taken = 0
  #whenFree: (() => void)[] = []

  constructor(limits: SlotLimits) {
    this.#limits = limits
    this.#perOwner = limits.perOwner ?? Math.ceil(limits.most / 4)
  }

  get taken(): number {
    return this.#taken
  }

  /** Resolves as soon as none is taken. */
  async allFree(): Promise<void> {
    if (this.#taken > 0) await new Promise<void>((resolve) => this.#whenFree.push(resolve))
  }

  /**
   * Taken until disposed.
   * @param owners each may have only so many
   * @throws StowageError `busy` when there is none, `rate_limited` when an owner has too many
   */
  take(...owners: string[]): Disposable {
    if (this.#taken >= this.#limits.most) throw new StowageError('busy', this.#limits.whenFull)
    if (owners.some((owner) => this.#takenOf(owner) >= this.#perOwner))
      throw new StowageError('rate_limited', this.#limits.whenTooMany)
    this.#add(owners, 1)
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#add(owners, -1)
        held = false
        if (this.#taken === 0) for (const resolve of this.#whenFree.splice(0)) resolve()
      },
    }
  }

  #takenOf(owner: string): number {
    return this.#takenBy.get(owner) ?? 0
  }

  #add(owners: string[], change: 1 | -1): void {
    this.#taken += change
    for (const owner of owners) {
      const taken = this.#takenOf(owner) + change
      if (taken === 0) this.#takenBy.delete(owner)
      else this.#takenBy.set(owner, taken)
    }
  }
}
