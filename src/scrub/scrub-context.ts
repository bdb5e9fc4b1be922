import type { RateLimiter } from '#async/rate-limiter.ts'
import type { Database } from '#persistence/connection/client.ts'
import type { HoldEnd } from '#recovery/release-hold.ts'
import type { ObjectStore } from '#store/object-store.ts'
import type { Findings } from './findings.ts'
export interface ScrubOptions {
  /** Bytes a second over the whole scrub; `Infinity` for no limit. */
  rate: number
  /** Leaves out what was read and whole within so many hours. */
  olderThanHours?: number | undefined
  /** Milliseconds before each further try of what a store or a database did not answer. */
  pauses?: readonly number[]
}

/** A scrub that is under way: what its steps share. */
export interface ScrubContext {
  store: ObjectStore
  options: ScrubOptions
  rateLimiter: RateLimiter
  pauses: readonly number[]
  signal: AbortSignal
  findings: Findings
  /** Asks the database, and again while it is away. */
  ask<T>(question: (db: Database) => Promise<T>): Promise<T>
}

/** What a scrub came to. */
export interface ScrubResult {
  findings: Findings
  /** From the beginning to the end. */
  seconds: number
  /** What ended it before its end: the signal, a store or a database that is away, a fault of ours. */
  interruptedBy: 'asked' | { error: unknown } | undefined
  /** How far it came. */
  reached: {
    /** Whether everything in the store was looked at for a row. */
    isListed: boolean
    /** The last key that was read. */
    lastKey: string | undefined
  }
  /** What became of the hold that there was at the beginning; `undefined` without one, and when not everything was seen. */
  hold: HoldEnd | undefined
}
