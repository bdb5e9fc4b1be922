import { claimPurgeable, forgetObject, type Purgeable, purgeAgain } from '../db/objects.ts'
import type { Deps } from '../deps.ts'
import { failpoint } from '../failpoints.ts'

const batch = 20

/**
 * Removes the bytes of failed attempts and deleted attachments. A write that was in flight may still land afterwards: a
 * writer notices within a third of its lease that its attempt is over. So each key is purged again after a quarter of a
 * lease and after another half, and a last time when the row's retention ends: only then is it forgotten.
 * @returns true when there may be more to purge at once
 */
export async function purge(
  deps: Pick<Deps, 'db' | 'store' | 'config' | 'log'>,
  signal: AbortSignal,
): Promise<boolean> {
  const claimed = await claimPurgeable(deps.db, batch, deps.config.uploadLeaseSeconds / 2)
  const results = await Promise.allSettled(claimed.map((object) => purgeOne(deps, object, signal)))
  const failed = results.filter((result) => result.status === 'rejected')
  if (failed[0])
    deps.log.warn({ err: failed[0].reason, failed: failed.length }, 'bytes not removed yet, will try again')
  return failed.length === 0 && claimed.length === batch
}

async function purgeOne(
  { db, store, config }: Pick<Deps, 'db' | 'store' | 'config'>,
  { key, uploadId, purges }: Purgeable,
  signal: AbortSignal,
): Promise<void> {
  await store.remove(key, { uploadId: uploadId ?? undefined, signal })
  const lease = config.uploadLeaseSeconds
  const waits = [lease / 4, lease / 2, config.failedRetentionHours * 3600]
  const wait = waits[purges]
  if (wait === undefined) await forgetObject(db, key)
  else await purgeAgain(db, key, wait)
  failpoint('after-purge')
}
