import { StowageError } from '#domain/errors.ts'
import type { Database } from '#persistence/connection/client.ts'
import { renewLeases } from '#persistence/leases.ts'
import type { Attempt } from '#persistence/schema.ts'

/** Keeps telling the database that the writer of some attempts lives, until disposed. */
export class Lease implements Disposable {
  /** How long the writer may be silent. */
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

  /** Aborts when another replica has failed or deleted one of the attempts, or may have by now. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** @param attempt just reserved, with a full lease */
  add(attempt: Attempt): void {
    if (this.#attempts.length === 0) this.#renewedAt = performance.now()
    this.#attempts.push(attempt)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Renews now, rather than at the next third of the lease; afterwards `signal` tells whether it is lost. Never rejects. */
  async renew(): Promise<void> {
    if (this.#attempts.length === 0) return
    if (this.#renewing) return this.#giveUpWhenLate()
    this.#renewing = true
    const startedAt = performance.now()
    const held = this.#attempts.length
    try {
      const renewed = await renewLeases(this.#db, this.#attempts.slice(0, held), this.seconds)
      if (renewed < held)
        this.#lost.abort(new StowageError('conflict', 'The attachment was deleted or its upload given up meanwhile.'))
      this.#renewedAt = startedAt
    } catch (cause) {
      this.#giveUpWhenLate(cause)
    } finally {
      this.#renewing = false
    }
  }

  /** A database that is away for a moment costs nothing; one that is away, or silent, for a whole lease costs the upload. */
  #giveUpWhenLate(cause?: unknown): void {
    if (performance.now() - this.#renewedAt <= this.seconds * 1000) return
    const message = 'The database does not answer. Try again in a moment.'
    this.#lost.abort(new StowageError('database_unavailable', message, { cause }))
  }
}
