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
 * Reports objects without a row, then reads the objects of all rows and compares them. A scrub changes nothing in the store and
 * nothing that clients see: findings are logged, counted and recorded with each key. Only a scrub that has seen everything is
 * recorded itself. If it has also skipped no object, it ends a hold that began before it.
 * @param signal ends the scrub after the current chunk
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
  const ask = <T>(query: (db: Database) => Promise<T>) =>
    retry(() => query(db), isDatabaseUnavailable, { pauses, signal })
  const context: ScrubContext = { store, options, rateLimiter, pauses, signal, findings, ask }
  const secondsSoFar = () => (performance.now() - startedAt) / 1000
  const reached: ScrubResult['reached'] = { isListed: false, lastKey: undefined }
  let interruptedBy: ScrubResult['interruptedBy']
  let hold: ScrubResult['hold']
  try {
    const heldSince = await ask(readHold)
    await reportOrphans(context)
    reached.isListed = true
    await reportMissingKeys(context)
    await readObjects(context, (key) => {
      reached.lastKey = key
    })
    const hasSeenAll = findings.unreadable + findings.unlisted === 0
    if (hasSeenAll) await ask((db) => recordScrub(db, findings.counts, secondsSoFar()))
    if (heldSince && hasSeenAll && options.olderThanHours === undefined)
      hold = await ask((db) => endHold({ db, store, log, config }, heldSince, signal))
  } catch (error) {
    interruptedBy = signal.aborted ? 'asked' : { error }
  }
  return { findings, seconds: secondsSoFar(), interruptedBy, reached, hold }
}
