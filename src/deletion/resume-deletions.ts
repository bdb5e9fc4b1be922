import type { AppContext } from '#app-context.ts'
import { type DeletedParent, findPendingDeletions, softDeleteContents } from '#persistence/deletion.ts'

/** Deletions per run and kind of parent. */
const deletionsPerRun = 50

const parents: readonly DeletedParent[] = ['messages', 'rooms', 'users']

/**
 * Continues the unfinished deletions of hidden messages, rooms and users: deletions with more attachments than one request deletes,
 * and deletions whose server died. Each deletion gets one batch per run, so that a small deletion does not wait for a large one. A
 * failed deletion does not stop the others.
 * @returns true when attachments may be left
 * @throws the first failure, after every deletion has had its batch
 */
export async function resumeDeletions({ db, wakePurge }: Pick<AppContext, 'db' | 'wakePurge'>): Promise<boolean> {
  let hasMore = false
  let deletedCount = 0
  const failures: unknown[] = []
  for (const parent of parents) {
    const pending = await findPendingDeletions(db, parent, deletionsPerRun)
    hasMore ||= pending.hasMore
    for (const id of pending.ids) {
      try {
        const { count, isFinished } = await softDeleteContents(db, parent, id, 1)
        deletedCount += count
        hasMore ||= !isFinished
      } catch (error) {
        failures.push(error)
      }
    }
  }
  if (deletedCount > 0) wakePurge()
  if (failures.length > 0) throw failures[0]
  return hasMore
}
