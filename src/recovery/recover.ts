import type { AppContext } from '#app-context.ts'
import { failpoint } from '#failpoints.ts'
import { claimExpired } from '#persistence/leases.ts'
import { failAttempts } from '#uploads/fail.ts'

const batch = 50
const uploading = 'UploadFromClientToServerInProgress'

type RecoverContext = Pick<AppContext, 'db' | 'config' | 'wakePurge'>

/**
 * Fails the attempts whose bytes were still arriving when their writer was silent for a whole lease. Such a writer is dead, or cut off
 * from the database. One replica claims each attempt. If the writer is alive, compare-and-set lets one of the two win.
 * @returns true when more attempts may have expired
 */
export async function recover({ db, config, wakePurge }: RecoverContext): Promise<boolean> {
  const expired = await claimExpired(db, uploading, batch, config.uploadLeaseSeconds / 2)
  if (expired.length === 0) return false
  failpoint('after-claim')
  const reason = 'The server that took the file stopped before it was finished. Send it again.'
  const attempts = expired.map(({ id, attempt }) => ({ id, attempt }))
  await failAttempts(db, attempts, { from: [uploading], reason, actor: 'recovery' })
  wakePurge()
  return expired.length === batch
}
