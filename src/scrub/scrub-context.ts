import type { RateLimiter } from '#async/rate-limiter.ts'
import type { Database } from '#persistence/connection/client.ts'
import type { HoldEnd } from '#recovery/release-hold.ts'
import type { ObjectStore } from '#store/object-store.ts'
import type { Findings } from './findings.ts'

export interface ScrubOptions {
  /** Bytes per second over the whole scrub; `Infinity` for no limit. */
  rate: number
  /** Skips objects that were found whole within this number of hours. */
  olderThanHours?: number | undefined
  /** Milliseconds before each retry of a failed request to the store or the database. */
  pauses?: readonly number[]
}

/** The state that the steps of one scrub share. */
export interface ScrubContext {
  store: ObjectStore
  options: ScrubOptions
  rateLimiter: RateLimiter
  pauses: readonly number[]
  signal: AbortSignal
  findings: Findings
  /** Runs a query, and retries it while the database is unavailable. */
  ask<T>(query: (db: Database) => Promise<T>): Promise<T>
}

/** The result of a scrub. */
export interface ScrubResult {
  findings: Findings
  /** Duration of the scrub. */
  seconds: number
  /** `'asked'` for the signal; the error of an unavailable store or database, or of a bug; `undefined` for a complete scrub. */
  interruptedBy: 'asked' | { error: unknown } | undefined
  /** The progress of the scrub. */
  reached: {
    /** Whether every key in the store was checked for a row. */
    isListed: boolean
    /** The key of the last object that was read. */
    lastKey: string | undefined
  }
  /** The outcome for the hold that existed at the beginning; `undefined` without a hold, and after an incomplete scrub. */
  hold: HoldEnd | undefined
}
