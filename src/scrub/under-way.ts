import type { RateLimiter } from '#async/rate-limiter.ts'
import type { Database } from '#persistence/connection/client.ts'
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
