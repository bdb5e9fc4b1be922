import type { AppContext } from '#app-context.ts'
import {
  beginning,
  type Cursor,
  expireAwaiting,
  expireDeleted,
  expireInternalMessages,
  expireOldAttempts,
  expireScrubs,
  expireSessions,
  expireTokens,
  type Page,
  type SweptPage,
  sweepInternalMessages,
} from '#persistence/retention.ts'

/** Rows that one statement examines. */
const batch = 500

/** Milliseconds per table and round. The next round follows at once and continues with the rest. */
const timePerTable = 5000

/** Number of scrubs to keep. */
const keptScrubs = 100

type RetentionContext = Pick<AppContext, 'db' | 'config' | 'wakePurge'>

/** The sweeps, with the cursors at which the next round continues the unfinished ones. */
export class Sweeps {
  readonly #next = new Map<string, Cursor>()

  /** Sweeps page after page, for at most `timePerTable`. @returns whether pages are left */
  async run(name: string, sweepPage: (after: Cursor) => Promise<SweptPage>): Promise<boolean> {
    const ends = performance.now() + timePerTable
    do {
      const { next } = await sweepPage(this.#next.get(name) ?? beginning)
      if (next) this.#next.set(name, next)
      else this.#next.delete(name)
    } while (this.#next.has(name) && performance.now() < ends)
    return this.#next.has(name)
  }
}

/** Deletes batch after batch, for at most `timePerTable`. @returns whether rows may be left */
async function deleteBatches(deleteBatch: () => Promise<number>): Promise<boolean> {
  const ends = performance.now() + timePerTable
  let count: number
  do count = await deleteBatch()
  while (count === batch && performance.now() < ends)
  return count === batch
}

/**
 * Deletes the rows whose retention has ended: see the table in `docs/lifecycle.md`. Each statement examines a bounded number of
 * rows, and each table gets a bounded time. A table that fails does not stop the others.
 * @param sweeps the sweeps of the previous round, which this round continues
 * @returns true when rows may be left
 * @throws the first failure, after every table has had its time
 */
export async function expireRows(context: RetentionContext, sweeps = new Sweeps()): Promise<boolean> {
  let hasMore = false
  const failures: unknown[] = []
  for (const expire of expirationsOf(context, sweeps)) {
    try {
      hasMore = (await expire()) || hasMore
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return hasMore
}

function expirationsOf({ db, config, wakePurge }: RetentionContext, sweeps: Sweeps): (() => Promise<boolean>)[] {
  const hours = config.failedRetentionHours
  const page = (after: Cursor): Page => ({ hours, after, limit: batch })
  return [
    () =>
      sweeps.run('deleted', async (after) => {
        const expired = await expireDeleted(db, page(after))
        if (expired.handedOver > 0) wakePurge()
        await expireInternalMessages(db, hours, expired.internalMessageIds)
        return expired
      }),
    () =>
      sweeps.run('awaiting', async (after) => {
        const expired = await expireAwaiting(db, page(after))
        await expireInternalMessages(db, hours, expired.internalMessageIds)
        return expired
      }),
    () => sweeps.run('attempts', (after) => expireOldAttempts(db, page(after))),
    () => deleteBatches(() => expireSessions(db, hours, batch)),
    () => deleteBatches(() => expireTokens(db, hours, batch)),
    () => deleteBatches(() => expireScrubs(db, keptScrubs, batch)),
    async () => {
      // Most internal messages hold files and stay, so an unfinished sweep is no reason for another round at once.
      await sweeps.run('internal messages', (after) => sweepInternalMessages(db, page(after)))
      return false
    },
  ]
}
