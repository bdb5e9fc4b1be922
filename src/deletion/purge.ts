import type { AppContext } from '#app-context.ts'
import { failpoint } from '#failpoints.ts'
import { claimPurgeable, deleteObjectRow, type Purgeable, postponePurge, schedulePurge } from '#persistence/objects.ts'

/** Keys that are at work at the same time. */
const atOnce = 20

/** Milliseconds after which a run claims no more: the next one goes on at once. */
const turn = 20_000

/** Seconds after which a key that failed is tried again, the first time and at most. */
const backoff = { first: 5, longest: 300 }

type PurgeDeps = Pick<AppContext, 'db' | 'store' | 'config' | 'log'>

/**
 * Removes the bytes of failed attempts and deleted attachments. A write that was in flight may still land afterwards: a
 * writer notices within a third of its lease that its attempt is over. So each key is purged again after a quarter of a
 * lease and after another half, and a last time when the row's retention ends: only then is it forgotten.
 *
 * New keys are claimed as soon as half of the places are free, so that a slow one holds up nobody. A key that fails is
 * tried again later by itself; only when nothing succeeds any more does the run end.
 * @returns true when there may be more to purge at once
 */
export async function purge(deps: PurgeDeps, signal: AbortSignal): Promise<boolean> {
  const run = new PurgeRun(deps, signal)
  const ends = performance.now() + turn
  let isDry = false
  while (!isDry && !run.isFutile && !signal.aborted && performance.now() < ends) {
    isDry = (await run.claim()) === 0
    await run.hasRoom()
  }
  await run.isIdle()
  run.tell()
  return !isDry && !run.isFutile
}

/** The keys that one run has at work. */
class PurgeRun {
  readonly #deps: PurgeDeps
  readonly #signal: AbortSignal
  readonly #working = new Set<Promise<void>>()
  #failures: unknown[] = []
  #failuresInARow = 0

  constructor(deps: PurgeDeps, signal: AbortSignal) {
    this.#deps = deps
    this.#signal = signal
  }

  /** As many removals have failed in a row as are at work at the same time: the store is down. */
  get isFutile(): boolean {
    return this.#failuresInARow >= atOnce
  }

  /** Begins with keys that are due, as many as there is room for. @returns how many */
  async claim(): Promise<number> {
    const { db, config } = this.#deps
    const claimed = await claimPurgeable(db, atOnce - this.#working.size, config.uploadLeaseSeconds / 2)
    for (const object of claimed) {
      const work = this.#purge(object).finally(() => this.#working.delete(work))
      this.#working.add(work)
    }
    return claimed.length
  }

  /** Resolves when half of the places are free. */
  async hasRoom(): Promise<void> {
    while (this.#working.size > atOnce / 2) await Promise.race(this.#working)
  }

  /** Resolves when nothing is at work any more. */
  async isIdle(): Promise<void> {
    await Promise.all(this.#working)
  }

  /** Logs once what failed. */
  tell(): void {
    if (this.#failures.length === 0 || this.#signal.aborted) return
    const { log } = this.#deps
    log.warn({ err: this.#failures[0], failed: this.#failures.length }, 'bytes not removed yet, will try again')
  }

  /** Never rejects. */
  async #purge(object: Purgeable): Promise<void> {
    try {
      await purgeOne(this.#deps, object, this.#signal)
      this.#failuresInARow = 0
    } catch (error) {
      this.#failures.push(error)
      this.#failuresInARow += 1
      // When this fails too, the claim ends by itself.
      await postponePurge(this.#deps.db, object.key, backoff.first, backoff.longest).catch(() => {})
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
