import type { AppContext } from '#app-context.ts'
import { failpoint } from '#failpoints.ts'
import { claimExpired } from '#persistence/leases.ts'
import { failAttempt } from '#uploads/fail.ts'

const batch = 50
const uploading = 'UploadFromClientToServerInProgress'

type RecoverContext = Pick<AppContext, 'db' | 'config' | 'wakePurge'>

/**
 * Fails the attempts whose bytes were still arriving when their writer was silent for a whole lease. Such a writer is dead, or cut off
 * from the database. One replica claims each attempt. If the writer is alive, compare-and-set lets one of the two win.
 * @param signal aborts when the server stops or the run is given up; another run then does the rest
 * @returns true when more attempts may have expired
 */
export async function recover({ db, config, wakePurge }: RecoverContext, signal: AbortSignal): Promise<boolean> {
  const expired = await claimExpired(db, uploading, batch, config.uploadLeaseSeconds / 2)
  if (expired.length === 0) return false
  failpoint('after-claim')
  for (const { id, attempt } of expired) {
    signal.throwIfAborted()
    await failAttempt(
      db,
      { id, attempt },
      {
        from: [uploading],
        reason: 'The server that took the file stopped before it was finished. Send it again.',
        actor: 'recovery',
      },
    )
  }
  wakePurge()
  return expired.length === batch
}
