import { buryForsaken, purgeForsaken } from '../db/retention.ts'
import type { Deps } from '../deps.ts'

const batch = 500

/**
 * Finishes deletions whose server died half-way: when the message, room or user was hidden and its attachments were not, or
 * before every object of what was deleted had been handed to the purge.
 * @param startedWithin milliseconds; older ones are not looked at
 * @returns true when there may be more at once
 */
export async function finishDeletions(
  { db, purgeSoon }: Pick<Deps, 'db' | 'purgeSoon'>,
  { startedWithin }: { startedWithin: number },
): Promise<boolean> {
  const seconds = startedWithin / 1000
  const buried = await buryForsaken(db, seconds, batch)
  const handedOver = await purgeForsaken(db, seconds)
  if (buried > 0 || handedOver > 0) purgeSoon()
  return buried === batch
}
