import type { FastifyBaseLogger } from 'fastify'
import type { Database } from '../db/client.ts'
import { isDatabaseUnavailable } from '../db/errors.ts'
import { recordScrub } from '../db/scrub.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { Findings } from './findings.ts'
import { Pace } from './pace.ts'
import { patiently, usualPauses } from './patience.ts'
import { readObjects } from './read-objects.ts'
import { reportKeyless } from './report-keyless.ts'
import { reportOrphans } from './report-orphans.ts'
import type { Scrub, ScrubOptions } from './under-way.ts'

/** What a scrub came to. */
export interface ScrubResult {
  findings: Findings
  /** From the beginning to the end. */
  seconds: number
  /** What ended it before its end: the signal, a store or a database that is away, a fault of ours. */
  brokenOff: 'asked' | { error: unknown } | undefined
  /** How far it came. */
  reached: {
    /** Whether everything in the store was looked at for a row. */
    isListed: boolean
    /** The last key that was read. */
    lastKey: string | undefined
  }
}

/**
 * Looks for what no row knows, then reads what the rows know, and compares. It changes nothing in the store and nothing
 * that a client sees: what it finds it logs, counts and notes beside each key. Only one that has seen everything is written
 * down as a scrub of its own.
 * @param signal ends it after the chunk it is reading
 */
export async function scrub(
  { db, store, log }: { db: Database; store: ObjectStore; log: FastifyBaseLogger },
  options: ScrubOptions,
  signal: AbortSignal,
): Promise<ScrubResult> {
  const startedAt = performance.now()
  const { pauses = usualPauses } = options
  const findings = new Findings(log)
  const pace = new Pace(options.rate)
  const ask = <T>(question: (db: Database) => Promise<T>) =>
    patiently(() => question(db), isDatabaseUnavailable, { pauses, signal })
  const shared: Scrub = { store, options, pace, pauses, signal, findings, ask }
  const secondsSoFar = () => (performance.now() - startedAt) / 1000
  const reached: ScrubResult['reached'] = { isListed: false, lastKey: undefined }
  let brokenOff: ScrubResult['brokenOff']
  try {
    await reportOrphans(shared)
    reached.isListed = true
    await reportKeyless(shared)
    await readObjects(shared, (key) => {
      reached.lastKey = key
    })
    const hasSeenAll = findings.unreadable + findings.unlisted === 0
    if (hasSeenAll) await ask((db) => recordScrub(db, findings.counts, secondsSoFar()))
  } catch (error) {
    brokenOff = signal.aborted ? 'asked' : { error }
  }
  return { findings, seconds: secondsSoFar(), brokenOff, reached }
}
