import { buryForsaken, forgetEmptyOwnMessages, forgetEndedAttachments, purgeForsaken } from '../db/retention.ts'
import type { Deps } from '../deps.ts'

const batch = 500

/**
 * Finishes deletions that died half-way. Forgets the rows of attachments that failed, were reserved and never used, or were
 * deleted longer ago than the retention, once their bytes are gone, and the messages that Stowage made for uploads of which
 * nothing is left.
 * @returns true when there may be more at once
 */
export async function retain({ db, config, purgeSoon }: Pick<Deps, 'db' | 'config' | 'purgeSoon'>): Promise<boolean> {
  const buried = await buryForsaken(db, batch)
  const handedOver = await purgeForsaken(db)
  if (buried > 0 || handedOver > 0) purgeSoon()
  const forgotten = await forgetEndedAttachments(db, config.failedRetentionHours, batch)
  await forgetEmptyOwnMessages(db, config.failedRetentionHours, batch)
  return forgotten === batch || buried === batch
}
