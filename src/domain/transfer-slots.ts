import { StowageError } from './errors.ts'

export interface SlotLimits {
  /** Transfers of all owners together. */
  most: number
  /** Transfers of one owner. Unset: a quarter of `most`, so that one owner cannot take all slots. */
  perOwner: number | undefined
  /** The error message when no slot is free. */
  whenFull: string
  /** The error message for an owner with too many slots. */
  whenTooMany: string
}

/** Limits the concurrent transfers of one kind on this replica, in total and per owner, as each holds memory and sockets. */
export class TransferSlots {
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

  /** Resolves when every slot is free. */
  async allFree(): Promise<void> {
    if (this.#taken > 0) await new Promise<void>((resolve) => this.#whenFree.push(resolve))
  }

  /**
   * Takes a slot until the result is disposed of.
   * @param owners the slot counts for each of them
   * @throws StowageError `busy` when no slot is free, `rate_limited` when an owner has too many
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

/** The limits on concurrent uploads. */
export function uploadSlots(most: number, perOwner: number | undefined): SlotLimits {
  return {
    most,
    perOwner,
    whenFull: 'Too many uploads at once. Try again in a few seconds.',
    whenTooMany: 'You have too many uploads under way. Send the next one when one of them has ended.',
  }
}

/** The limits on concurrent downloads. */
export function downloadSlots(most: number, perOwner: number | undefined): SlotLimits {
  return {
    most,
    perOwner,
    whenFull: 'Too many downloads at once. Try again in a few seconds.',
    whenTooMany: 'Too many downloads at once, of yours or by this link. Try again when one of them has ended.',
  }
}
