import { forgetEmptyOwnMessages, forgetEndedAttachments } from '../db/retention.ts'
import type { Deps } from '../deps.ts'

const batch = 500

/**
 * Forgets the rows of attachments that failed or were deleted longer ago than the retention, once their bytes are gone,
 * and the messages that Stowage made for uploads of which nothing is left.
 * @returns true when there may be more at once
 */
export async function retain({ db, config }: Pick<Deps, 'db' | 'config'>): Promise<boolean> {
  const forgotten = await forgetEndedAttachments(db, config.failedRetentionHours, batch)
  await forgetEmptyOwnMessages(db, config.failedRetentionHours, batch)
  return forgotten === batch
}
