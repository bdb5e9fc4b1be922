/** The failed tries of this process to read a file. */
interface FailedTries {
  /** The time of the first failed try, in milliseconds of `performance.now()`. */
  since: number
  tries: number
}

/** Minimum number of tries before a file is given up. */
const minTries = 3

/** Leases after which a count is dropped, because another replica has settled the file. */
const leasesToKeep = 10

/**
 * Measures how long files in verification could not be read from the store. The time starts at the first failed try of this process,
 * so that a file left by a server that died an hour ago gets its full time. Each replica counts for itself, and the first replica with
 * enough tries gives the file up.
 */
export class FailedReads {
  readonly #lease: number
  readonly #failedTries = new Map<number, FailedTries>()

  /** @param leaseSeconds the minimum time over which a file is tried */
  constructor(leaseSeconds: number) {
    this.#lease = leaseSeconds * 1000
  }

  /**
   * Records a failed try.
   * @param id the id of the attachment
   * @returns whether to give the file up, because enough tries have failed over a whole lease
   */
  note(id: number): boolean {
    const now = performance.now()
    for (const [otherId, { since }] of this.#failedTries)
      if (otherId !== id && now - since > leasesToKeep * this.#lease) this.#failedTries.delete(otherId)
    const { since, tries } = this.#failedTries.get(id) ?? { since: now, tries: 0 }
    this.#failedTries.set(id, { since, tries: tries + 1 })
    return tries + 1 >= minTries && now - since >= this.#lease
  }

  /** Drops the count of a settled file. */
  forget(id: number): void {
    this.#failedTries.delete(id)
  }
}
