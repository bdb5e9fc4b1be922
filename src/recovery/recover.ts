import type { AppContext } from '#deps.ts'
import { failpoint } from '#failpoints.ts'
import { claimExpired } from '#persistence/leases.ts'
import { type Attachment, StateConflict, transition } from '#persistence/transitions.ts'

const batch = 50
const from = 'UploadFromClientToServerInProgress'

type RecoverDeps = Pick<AppContext, 'db' | 'config' | 'wakePurge'>

/**
 * Fails the attempts whose bytes were still arriving when their writer fell silent for a whole lease: it is dead, or cut off
 * from the database. Each is claimed by one replica, and should the writer live after all, compare-and-set lets one of the
 * two win.
 * @param signal aborts when the server stops or the run is given up: the rest is left for another one
 * @returns true when there may be more at once
 */
export async function recover(deps: RecoverDeps, signal: AbortSignal): Promise<boolean> {
  const expired = await claimExpired(deps.db, from, batch, deps.config.uploadLeaseSeconds / 2)
  if (expired.length === 0) return false
  failpoint('after-claim')
  for (const attachment of expired) {
    signal.throwIfAborted()
    await failAbandoned(deps, attachment)
  }
  deps.wakePurge()
  return expired.length === batch
}

async function failAbandoned({ db }: RecoverDeps, { id, attempt }: Attachment): Promise<void> {
  try {
    await transition(db, [{ id, attempt }], {
      from,
      to: 'UploadFromClientToServerFailed',
      reason: 'The server that took the file stopped before it was finished. Send it again.',
      actor: 'recovery',
    })
  } catch (error) {
    // It has ended otherwise meanwhile.
    if (!(error instanceof StateConflict)) throw error
  }
}
