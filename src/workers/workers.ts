import type { Deps } from '../deps.ts'
import { FailedReads } from '../lifecycle/failed-reads.ts'
import { limits } from '../limits.ts'
import { finishDeletions } from './finish-deletions.ts'
import { purge } from './purge.ts'
import { recover } from './recover.ts'
import { repeat } from './repeat.ts'
import { retain } from './retain.ts'
import { verifyLeft } from './verify-left.ts'

export interface Workers {
  /** Tells the purge that there are bytes to remove now. */
  purgeSoon(): void
  /** Resolves when every worker has ended what it was doing, or after some seconds without those that do not. */
  stop(): Promise<void>
}

const minutes = 60_000

/** Starts what runs beside the requests: in every replica, or in processes of its own. */
export function startWorkers({ config, db, store, log }: Pick<Deps, 'config' | 'db' | 'store' | 'log'>): Workers {
  const purgeSoon = () => purging.wake()
  const deps = { config, db, store, log, purgeSoon, failedReads: new FailedReads(config.uploadLeaseSeconds) }
  const soon = Math.min(5000, (config.uploadLeaseSeconds * 1000) / 4)
  const round = { every: soon, limit: limits.workerRound, log }
  const purging = repeat({ ...round, name: 'purge', job: (signal) => purge(deps, signal) })
  const others = [
    repeat({ ...round, name: 'recovery', job: (signal) => recover(deps, signal) }),
    // Reads whole files, however long that takes: the store has a limit for each wait, and the leases one for the writer.
    repeat({ name: 'verification', every: soon, log, job: (signal) => verifyLeft(deps, signal) }),
    repeat({ ...round, name: 'deletions', job: () => finishDeletions(deps, { startedWithin: 15 * minutes }) }),
    repeat({ ...round, name: 'retention', every: 10 * minutes, job: () => retain(deps) }),
  ]
  return {
    purgeSoon,
    async stop() {
      await Promise.all([purging, ...others].map((worker) => worker.stop()))
    },
  }
}
