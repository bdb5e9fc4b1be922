/** The failures of this process to read a file. */
interface Failing {
  /** When the first try failed, in milliseconds of `performance.now()`. */
  since: number
  tries: number
}

/** Tries before a file is given up, at least. */
const leastTries = 3

/** Leases after which a count is dropped: the file has ended otherwise. */
const forgottenAfter = 10

/**
 * Counts how long files in verification could not be read from the store, from the first try of this process that failed: a file
 * left by a server that died an hour ago is not late when it is found. Each replica counts for itself, and the first that has
 * tried enough gives the file up.
 */
export class FailedReads {
  readonly #lease: number
  readonly #failing = new Map<number, Failing>()

  /** @param leaseSeconds how long a file is tried again */
  constructor(leaseSeconds: number) {
    this.#lease = leaseSeconds * 1000
  }

  /**
   * Notes a try that failed.
   * @param id of the attachment
   * @returns whether the file is to be given up: enough tries have failed, over a whole lease
   */
  note(id: number): boolean {
    const now = performance.now()
    for (const [other, { since }] of this.#failing)
      if (other !== id && now - since > forgottenAfter * this.#lease) this.#failing.delete(other)
    const { since, tries } = this.#failing.get(id) ?? { since: now, tries: 0 }
    this.#failing.set(id, { since, tries: tries + 1 })
    return tries + 1 >= leastTries && now - since >= this.#lease
  }

  /** Drops the count of a file that has ended. */
  forget(id: number): void {
    this.#failing.delete(id)
  }
}
