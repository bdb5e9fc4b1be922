import { setTimeout as delay } from 'node:timers/promises'

/** A clock and its timer, both in milliseconds. */
export interface Clock {
  now(): number
  /** Rejects when the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<unknown>
}

const realClock: Clock = {
  now: () => performance.now(),
  wait: (milliseconds, signal) => delay(milliseconds, undefined, { signal }),
}

/** Milliseconds of unused rate that are kept. Older credit expires, so that no burst follows a pause. */
const maxCredit = 1000

/** Milliseconds. A shorter wait is postponed and added to the next one. */
const shortestWait = 10

/** Limits a reader to a rate: in any period it reads at most the bytes of the period plus one second. */
export class RateLimiter {
  readonly #rate: number
  readonly #clock: Clock
  /** The earliest time at which the bytes read so far are within the rate. */
  #due: number

  /** @param rate bytes a second; `Infinity` for no limit */
  constructor(rate: number, clock: Clock = realClock) {
    this.#rate = rate
    this.#clock = clock
    this.#due = clock.now()
  }

  /** Counts `bytes` as read. Resolves when the next bytes may be read; rejects when the signal aborts. */
  async consume(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    this.#due = Math.max(this.#due, now - maxCredit) + (bytes / this.#rate) * 1000
    const wait = this.#due - now
    if (wait >= shortestWait) await this.#clock.wait(wait, signal)
  }
}
