import type { AppContext } from '#app-context.ts'
import { failpoint } from '#failpoints.ts'
import { claimPurgeable, deleteObjectRow, type Purgeable, postponePurge, schedulePurge } from '#persistence/objects.ts'

/** Keys that are purged at the same time. */
const concurrency = 20

/** Milliseconds after which a run claims no more keys. The next run follows at once. */
const runTime = 20_000

/** Seconds before the retry of a failed key: the first pause and the longest. */
const backoff = { first: 5, longest: 300 }

type PurgeContext = Pick<AppContext, 'db' | 'store' | 'config' | 'log'>

/**
 * Removes the bytes of failed attempts and deleted attachments. A write in flight may still reach the store afterwards, because a
 * writer notices within a third of its lease that its attempt has ended. So each key is purged again after a quarter of a lease,
 * after another half, and a last time when the retention ends. Only then is the key's row deleted.
 *
 * New keys are claimed when half of the places are free, so that a slow key delays no other. A failed key is retried later. A run
 * ends early when every removal fails.
 * @param signal aborts when the server stops or the run is given up
 * @returns true when more keys may be due
 */
export async function purge(context: PurgeContext, signal: AbortSignal): Promise<boolean> {
  const run = new PurgeRun(context, signal)
  const ends = performance.now() + runTime
  let isExhausted = false
  while (!isExhausted && !run.isStoreDown && !signal.aborted && performance.now() < ends) {
    isExhausted = (await run.claim()) === 0
    await run.untilHalfFree()
  }
  await run.untilIdle()
  run.logFailures()
  return !isExhausted && !run.isStoreDown
}

/** The keys that one run is purging. */
class PurgeRun {
  readonly #context: PurgeContext
  readonly #signal: AbortSignal
  readonly #working = new Set<Promise<void>>()
  #failures: unknown[] = []
  #failuresInARow = 0

  constructor(context: PurgeContext, signal: AbortSignal) {
    this.#context = context
    this.#signal = signal
  }

  /** As many removals in a row as run at the same time have failed, so the store is down. */
  get isStoreDown(): boolean {
    return this.#failuresInARow >= concurrency
  }

  /** Starts the removal of due keys, one for each free place. @returns the number of keys */
  async claim(): Promise<number> {
    const { db, config } = this.#context
    const claimed = await claimPurgeable(db, concurrency - this.#working.size, config.uploadLeaseSeconds / 2)
    for (const object of claimed) {
      const work = this.#purge(object).finally(() => this.#working.delete(work))
      this.#working.add(work)
    }
    return claimed.length
  }

  /** Resolves when half of the places are free. */
  async untilHalfFree(): Promise<void> {
    while (this.#working.size > concurrency / 2) await Promise.race(this.#working)
  }

  /** Resolves when no key is being purged. */
  async untilIdle(): Promise<void> {
    await Promise.all(this.#working)
  }

  /** Logs the first failure and the number of failures. */
  logFailures(): void {
    if (this.#failures.length === 0 || this.#signal.aborted) return
    const { log } = this.#context
    log.warn({ err: this.#failures[0], failed: this.#failures.length }, 'bytes not removed yet, will try again')
  }

  /** The promise never rejects. */
  async #purge(object: Purgeable): Promise<void> {
    try {
      await purgeOne(this.#context, object, this.#signal)
      this.#failuresInARow = 0
    } catch (error) {
      this.#failures.push(error)
      this.#failuresInARow += 1
      // If this fails too, the claim expires.
      await postponePurge(this.#context.db, object.key, backoff.first, backoff.longest).catch(() => {})
    }
  }
}

async function purgeOne(
  { db, store, config }: Pick<AppContext, 'db' | 'store' | 'config'>,
  { key, uploadId, purges }: Purgeable,
  signal: AbortSignal,
): Promise<void> {
  await store.remove(key, { uploadId: uploadId ?? undefined, signal })
  const lease = config.uploadLeaseSeconds
  const waits = [lease / 4, lease / 2, config.failedRetentionHours * 3600]
  const wait = waits[purges]
  if (wait === undefined) await deleteObjectRow(db, key)
  else await schedulePurge(db, key, wait)
  failpoint('after-purge')
}
