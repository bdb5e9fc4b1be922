import { purge } from '#deletion/purge.ts'
import { finishDeletions } from '#deletion/resume-deletions.ts'
import { retain, Sweeps } from '#deletion/retention.ts'
import type { Deps } from '#deps.ts'
import { limits } from '#domain/limits.ts'
import { isHeld } from '#persistence/server-identity.ts'
import { FailedReads } from '#recovery/failed-reads.ts'
import { recover } from '#recovery/recover.ts'
import { verifyLeft } from '#recovery/retry-verification.ts'
import { type RepeatOptions, repeat as repeatAlways } from './poll-loop.ts'

export interface Workers {
  /** Wakes the purge. */
  purgeSoon(): void
  /** Wakes the worker that finishes deletions. */
  finishDeletionsSoon(): void
  /** Resolves when every worker has ended, or after some seconds without those that have not. */
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
  const deps = { config, db, store, log, purgeSoon, failedReads: new FailedReads(config.uploadLeaseSeconds) }
  const soon = Math.min(5000, (config.uploadLeaseSeconds * 1000) / 4)
  const round = { every: soon, limit: limits.workerRound, log }
  const purging = repeat({ ...round, name: 'purge', job: (signal) => purge(deps, signal) })
  const deletions = repeat({ ...round, name: 'deletions', job: () => finishDeletions(deps) })
  const sweeps = new Sweeps()
  const others = [
    deletions,
    repeat({ ...round, name: 'recovery', job: (signal) => recover(deps, signal) }),
    // No limit: it reads whole files. Each wait for the store has a limit, and so has each lease.
    repeat({ name: 'verification', every: soon, log, job: (signal) => verifyLeft(deps, signal) }),
    repeat({ ...round, name: 'retention', every: 10 * minutes, job: () => retain(deps, sweeps) }),
  ]
  return {
    purgeSoon,
    finishDeletionsSoon: () => deletions.wake(),
    async stop() {
      await Promise.all([purging, ...others].map((worker) => worker.stop()))
    },
  }
}
