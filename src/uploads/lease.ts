import { StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { renewLeases } from '#persistence/leases.ts'
import type { Attempt } from '#persistence/schema.ts'

/** The lease on the attempts of one writer. It is renewed in the database every third of its duration, until it is disposed of. */
export class Lease implements Disposable {
  /** Seconds after which a lease that is not renewed expires. */
  readonly seconds: number
  readonly #db: Database
  readonly #attempts: Attempt[] = []
  readonly #lost = new AbortController()
  readonly #timer: NodeJS.Timeout
  #renewing = false
  #renewedAt = performance.now()

  constructor(db: Database, seconds: number) {
    this.#db = db
    this.seconds = seconds
    this.#timer = setInterval(() => void this.renew(), (seconds * 1000) / 3)
    this.#timer.unref()
  }

  /** Aborts when another replica has failed or deleted one of the attempts, and when the lease was not renewed in time. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** @param attempt an attempt with a full lease */
  add(attempt: Attempt): void {
    if (this.#attempts.length === 0) this.#renewedAt = performance.now()
    this.#attempts.push(attempt)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Renews the lease at once. Afterwards `signal` shows whether the lease is lost. The promise never rejects. */
  async renew(): Promise<void> {
    if (this.#attempts.length === 0) return
    if (this.#renewing) return this.#abortWhenExpired()
    this.#renewing = true
    const startedAt = performance.now()
    const count = this.#attempts.length
    try {
      const renewed = await renewLeases(this.#db, this.#attempts.slice(0, count), this.seconds)
      if (renewed < count)
        this.#lost.abort(new StowageError('conflict', 'The attachment was deleted or its upload given up meanwhile.'))
      this.#renewedAt = startedAt
    } catch (cause) {
      this.#abortWhenExpired(cause)
    } finally {
      this.#renewing = false
    }
  }

  /** A short failure of the database has no effect. A database that is unavailable or silent for a whole lease ends the upload. */
  #abortWhenExpired(cause?: unknown): void {
    if (performance.now() - this.#renewedAt <= this.seconds * 1000) return
    const message = 'The database does not answer. Try again in a moment.'
    this.#lost.abort(new StowageError('database_unavailable', message, { cause }))
  }
}
