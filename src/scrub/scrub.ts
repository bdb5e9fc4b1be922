import type { AppContext } from '#app-context.ts'
import { RateLimiter } from '#async/rate-limiter.ts'
import { defaultBackoff, retry } from '#async/retry.ts'
import type { Database } from '#persistence/connection/client.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import { recordScrub } from '#persistence/scrub.ts'
import { readHold } from '#persistence/server-identity.ts'
import { endHold } from '#recovery/release-hold.ts'
import { reportMissingKeys, reportOrphans } from './find-orphans.ts'
import { Findings } from './findings.ts'
import { readObjects } from './read-objects.ts'
import type { ScrubContext, ScrubOptions, ScrubResult } from './scrub-context.ts'

/**
 * Looks for what no row knows, then reads what the rows know, and compares. It changes nothing in the store and nothing
 * that a client sees: what it finds it logs, counts and notes beside each key. Only one that has seen everything is written
 * down as a scrub of its own. When it has also read everything, it ends a hold that began before it did.
 * @param signal ends it after the chunk it is reading
 */
export async function scrub(
  { db, store, log, config }: Pick<AppContext, 'db' | 'store' | 'log' | 'config'>,
  options: ScrubOptions,
  signal: AbortSignal,
): Promise<ScrubResult> {
  const startedAt = performance.now()
  const { pauses = defaultBackoff } = options
  const findings = new Findings(log)
  const rateLimiter = new RateLimiter(options.rate)
  const ask = <T>(question: (db: Database) => Promise<T>) =>
    retry(() => question(db), isDatabaseUnavailable, { pauses, signal })
  const shared: ScrubContext = { store, options, rateLimiter, pauses, signal, findings, ask }
  const secondsSoFar = () => (performance.now() - startedAt) / 1000
  const reached: ScrubResult['reached'] = { isListed: false, lastKey: undefined }
  let brokenOff: ScrubResult['interruptedBy']
  let hold: ScrubResult['hold']
  try {
    const heldSince = await ask(readHold)
    await reportOrphans(shared)
    reached.isListed = true
    await reportMissingKeys(shared)
    await readObjects(shared, (key) => {
      reached.lastKey = key
    })
    const hasSeenAll = findings.unreadable + findings.unlisted === 0
    if (hasSeenAll) await ask((db) => recordScrub(db, findings.counts, secondsSoFar()))
    if (heldSince && hasSeenAll && options.olderThanHours === undefined)
      hold = await ask((db) => endHold({ db, store, log, config }, heldSince, signal))
  } catch (error) {
    brokenOff = signal.aborted ? 'asked' : { error }
  }
  return { findings, seconds: secondsSoFar(), interruptedBy: brokenOff, reached, hold }
}
