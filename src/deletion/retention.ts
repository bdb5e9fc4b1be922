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

/** Rows that one statement looks at. */
const batch = 500

/** Milliseconds for one table in a round. Its rest comes in the next round, which follows at once. */
const turn = 5000

/** Scrubs that are kept. */
const keptScrubs = 100

type RetainDeps = Pick<AppContext, 'db' | 'config' | 'wakePurge'>

/** The places at which sweeps go on in the next round, when one round was not enough. */
export class Sweeps {
  readonly #next = new Map<string, Cursor>()

  /** @returns whether there is more */
  async run(name: string, sweepPage: (after: Cursor) => Promise<SweptPage>): Promise<boolean> {
    const ends = performance.now() + turn
    do {
      const { next } = await sweepPage(this.#next.get(name) ?? beginning)
      if (next) this.#next.set(name, next)
      else this.#next.delete(name)
    } while (this.#next.has(name) && performance.now() < ends)
    return this.#next.has(name)
  }
}

/** @returns whether there is more */
async function drain(forgetBatch: () => Promise<number>): Promise<boolean> {
  const ends = performance.now() + turn
  let count: number
  do count = await forgetBatch()
  while (count === batch && performance.now() < ends)
  return count === batch
}

/**
 * Empties the tables of what ended longer ago than the retention: see the table in `docs/lifecycle.md`. Each statement looks at
 * a bounded number of rows, each table has a bounded turn, and one that fails keeps no other from its own.
 * @param sweeps where sweeps go on that a round did not bring to their end
 * @returns true when there may be more at once
 * @throws what the first table failed with, when all have had their turn
 */
export async function expireRows(deps: RetainDeps, sweeps = new Sweeps()): Promise<boolean> {
  let hasMore = false
  const failures: unknown[] = []
  for (const turnOf of turnsOf(deps, sweeps)) {
    try {
      hasMore = (await turnOf()) || hasMore
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return hasMore
}

function turnsOf({ db, config, wakePurge }: RetainDeps, sweeps: Sweeps): (() => Promise<boolean>)[] {
  const hours = config.failedRetentionHours
  const page = (after: Cursor): Page => ({ hours, after, limit: batch })
  return [
    () =>
      sweeps.run('deleted', async (after) => {
        const forgotten = await expireDeleted(db, page(after))
        if (forgotten.handedOver > 0) wakePurge()
        await expireInternalMessages(db, hours, forgotten.internalMessageIds)
        return forgotten
      }),
    () =>
      sweeps.run('awaiting', async (after) => {
        const forgotten = await expireAwaiting(db, page(after))
        await expireInternalMessages(db, hours, forgotten.internalMessageIds)
        return forgotten
      }),
    () => sweeps.run('attempts', (after) => expireOldAttempts(db, page(after))),
    () => drain(() => expireSessions(db, hours, batch)),
    () => drain(() => expireTokens(db, hours, batch)),
    () => drain(() => expireScrubs(db, keptScrubs, batch)),
    async () => {
      // Most of them hold files and stay, so a round that did not see all of them is no reason for another at once.
      await sweeps.run('own messages', (after) => sweepInternalMessages(db, page(after)))
      return false
    },
  ]
}
