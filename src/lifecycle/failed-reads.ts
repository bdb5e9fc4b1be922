/** A file, as far as this process has failed to read it. */
interface Failing {
  /** When the first try failed, in milliseconds of `performance.now()`. */
  since: number
  tries: number
}

/** The store is asked at least so often before a file is given up. */
const leastTries = 3

/** In leases: a file that this process has not failed to read for so long has ended otherwise. */
const forgottenAfter = 10

/**
 * How long the store has refused to let files in verification be read, counted from the first try that failed, as this
 * process knows it: what was left by a server that died an hour ago is not late when it is found. Each replica counts for
 * itself and the first to lose patience gives a file up, so failures end also where several take turns.
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
   * @returns whether the file is to be given up: the store has been asked in vain several times, for a whole lease
   */
  note(id: number): boolean {
    const now = performance.now()
    for (const [other, { since }] of this.#failing)
      if (other !== id && now - since > forgottenAfter * this.#lease) this.#failing.delete(other)
    const { since, tries } = this.#failing.get(id) ?? { since: now, tries: 0 }
    this.#failing.set(id, { since, tries: tries + 1 })
    return tries + 1 >= leastTries && now - since >= this.#lease
  }

  /** The file has ended, one way or the other. */
  forget(id: number): void {
    this.#failing.delete(id)
  }
}
