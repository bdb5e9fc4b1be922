import type { AppContext } from '#app-context.ts'
import { type DeletedParent, findPendingDeletions, softDeleteContents } from '#persistence/deletion.ts'

/** Deletions of each kind that one run goes on with. */
const atOnce = 50

const holders: readonly DeletedParent[] = ['messages', 'rooms', 'users']

/**
 * Goes on with the deletions of messages, rooms and users that are hidden and not buried: those with more attachments than a request
 * waits for, and those whose server died half-way. Each deletion gets one batch, so that a small one does not wait for a huge one. A
 * deletion that fails keeps no other from going on.
 * @returns true when there may be more at once
 * @throws what the first one failed with, when all have had their turn
 */
export async function resumeDeletions({ db, wakePurge }: Pick<AppContext, 'db' | 'wakePurge'>): Promise<boolean> {
  let hasMore = false
  let buried = 0
  const failures: unknown[] = []
  for (const holder of holders) {
    const unburied = await findPendingDeletions(db, holder, atOnce)
    hasMore ||= unburied.hasMore
    for (const id of unburied.ids) {
      try {
        const { count, isFinished } = await softDeleteContents(db, holder, id, 1)
        buried += count
        hasMore ||= !isFinished
      } catch (error) {
        failures.push(error)
      }
    }
  }
  if (buried > 0) wakePurge()
  if (failures.length > 0) throw failures[0]
  return hasMore
}
