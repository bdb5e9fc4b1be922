import { isHeld } from '../db/identity.ts'
import type { Deps } from '../deps.ts'
import { finishDeletions } from './finish-deletions.ts'
import { purge } from './purge.ts'
import { recover } from './recover.ts'
import { type RepeatOptions, repeat as repeatAlways } from './repeat.ts'
import { retain, Sweeps } from './retain.ts'
import { verifyLeft } from './verify-left.ts'

export interface Workers {
  /** Tells the purge that there are bytes to remove now. */
  purgeSoon(): void
  /** Tells the worker that finishes deletions that there is one now. */
  finishDeletionsSoon(): void
  /** Resolves when every worker has ended what it was doing. */
  stop(): Promise<void>
}

const minutes = 60_000

/**
 * Starts what runs beside the requests: in every replica, or in processes of its own. During a hold (see `db/identity.ts`)
 * none of it runs: each of them fails attempts, or removes bytes or rows.
 */
export function startWorkers({ config, db, store, log }: Pick<Deps, 'config' | 'db' | 'store' | 'log'>): Workers {
  const repeat = ({ job, ...options }: RepeatOptions) =>
    repeatAlways({ ...options, job: async (signal) => !(await isHeld(db)) && (await job(signal)) })
  const purgeSoon = () => purging.wake()
  const deps = { config, db, store, log, purgeSoon }
  const soon = Math.min(5000, (config.uploadLeaseSeconds * 1000) / 4)
  const purging = repeat({ name: 'purge', every: soon, log, job: (signal) => purge(deps, signal) })
  const deletions = repeat({ name: 'deletions', every: soon, log, job: () => finishDeletions(deps) })
  const sweeps = new Sweeps()
  const others = [
    deletions,
    repeat({ name: 'recovery', every: soon, log, job: () => recover(deps) }),
    repeat({ name: 'verification', every: soon, log, job: (signal) => verifyLeft(deps, signal) }),
    repeat({ name: 'retention', every: 10 * minutes, log, job: () => retain(deps, sweeps) }),
  ]
  return {
    purgeSoon,
    finishDeletionsSoon: () => deletions.wake(),
    async stop() {
      await Promise.all([purging, ...others].map((worker) => worker.stop()))
    },
  }
}
