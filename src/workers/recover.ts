import { findExpiredLeases } from '../db/leases.ts'
import type { Deps } from '../deps.ts'
import { failAttempt } from '../lifecycle/fail.ts'

const batch = 50

/**
 * Fails the attempts whose writer has been silent for a whole lease: it is dead, or cut off from the database. Several
 * replicas may find the same one; compare-and-set lets one of them win.
 * @returns true when there may be more at once
 */
export async function recover(deps: Pick<Deps, 'db' | 'purgeSoon'>): Promise<boolean> {
  const expired = await findExpiredLeases(deps.db, batch)
  for (const attempt of expired)
    await failAttempt(
      deps,
      attempt,
      'The server that took the file stopped before it was finished. Send it again.',
      'recovery',
    )
  if (expired.length > 0) deps.purgeSoon()
  return expired.length === batch
}
