import { forgetEmptyOwnMessages, forgetEndedAttachments } from '../db/retention.ts'
import type { Deps } from '../deps.ts'
import { finishDeletions } from './finish-deletions.ts'

const batch = 500
const days = 24 * 3600 * 1000

/**
 * Forgets the rows of attachments that failed, were reserved and never used, or were deleted longer ago than the retention,
 * once their bytes are gone, and the messages that Stowage made for uploads of which nothing is left. Looks further back
 * than the others for deletions that were left half-way while no server ran.
 * @returns true when there may be more at once
 */
export async function retain(deps: Pick<Deps, 'db' | 'config' | 'purgeSoon'>): Promise<boolean> {
  const { db, config } = deps
  const hasMore = await finishDeletions(deps, { startedWithin: 2 * days })
  const forgotten = await forgetEndedAttachments(db, config.failedRetentionHours, batch)
  await forgetEmptyOwnMessages(db, config.failedRetentionHours, batch)
  return hasMore || forgotten === batch
}
