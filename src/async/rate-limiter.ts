import { setTimeout as delay } from 'node:timers/promises'

/** What tells the time and lets it pass, both in milliseconds. */
export interface Clock {
  now(): number
  /** Rejects when the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<unknown>
}

const realClock: Clock = {
  now: () => performance.now(),
  wait: (milliseconds, signal) => delay(milliseconds, undefined, { signal }),
}

/** Milliseconds: what was not used by then is lost, so that no pause is made up for by a burst. */
const credit = 1000

/** Milliseconds: a shorter wait is put off and added to the next. */
const shortestWait = 10

/** Keeps a reader to a rate: over any time, it reads no more than the rate allows for that time and one second more. */
export class RateLimiter {
  readonly #rate: number
  readonly #clock: Clock
  /** When as much may have been read as was. */
  #due: number

  /** @param rate bytes a second; `Infinity` for no limit */
  constructor(rate: number, clock: Clock = realClock) {
    this.#rate = rate
    this.#clock = clock
    this.#due = clock.now()
  }

  /** Resolves when the next bytes may be read, after `bytes` were. Rejects when the signal aborts. */
  async consume(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    this.#due = Math.max(this.#due, now - credit) + (bytes / this.#rate) * 1000
    const wait = this.#due - now
    if (wait >= shortestWait) await this.#clock.wait(wait, signal)
  }
}
