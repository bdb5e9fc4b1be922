import { purge } from '#deletion/purge.ts'
import { resumeDeletions } from '#deletion/resume-deletions.ts'
import { expireRows, Sweeps } from '#deletion/retention.ts'
import type { AppContext } from '#deps.ts'
import { limits } from '#domain/limits.ts'
import { isHeld } from '#persistence/server-identity.ts'
import { FailedReads } from '#recovery/failed-reads.ts'
import { recover } from '#recovery/recover.ts'
import { retryVerification } from '#recovery/retry-verification.ts'
import { type PollOptions, startPolling as repeatAlways } from './poll-loop.ts'

export interface Workers {
  /** Wakes the purge. */
  wakePurge(): void
  /** Wakes the worker that finishes deletions. */
  wakeDeletions(): void
  /** Resolves when every worker has ended, or after some seconds without those that have not. */
  stop(): Promise<void>
}

const minutes = 60_000

/**
 * Starts what runs beside the requests: in every replica, or in processes of its own. During a hold (see `db/identity.ts`)
 * none of it runs: each of them fails attempts, or removes bytes or rows.
 */
export function startWorkers({ config, db, store, log }: Pick<AppContext, 'config' | 'db' | 'store' | 'log'>): Workers {
  const repeat = ({ job, ...options }: PollOptions) =>
    repeatAlways({ ...options, job: async (signal) => !(await isHeld(db)) && (await job(signal)) })
  const wakePurge = () => purging.wake()
  const deps = { config, db, store, log, wakePurge, failedReads: new FailedReads(config.uploadLeaseSeconds) }
  const soon = Math.min(5000, (config.uploadLeaseSeconds * 1000) / 4)
  const round = { every: soon, limit: limits.workerRound, log }
  const purging = repeat({ ...round, name: 'purge', job: (signal) => purge(deps, signal) })
  const deletions = repeat({ ...round, name: 'deletions', job: () => resumeDeletions(deps) })
  const sweeps = new Sweeps()
  const others = [
    deletions,
    repeat({ ...round, name: 'recovery', job: (signal) => recover(deps, signal) }),
    // No limit: it reads whole files. Each wait for the store has a limit, and so has each lease.
    repeat({ name: 'verification', every: soon, log, job: (signal) => retryVerification(deps, signal) }),
    repeat({ ...round, name: 'retention', every: 10 * minutes, job: () => expireRows(deps, sweeps) }),
  ]
  return {
    wakePurge,
    wakeDeletions: () => deletions.wake(),
    async stop() {
      await Promise.all([purging, ...others].map((worker) => worker.stop()))
    },
  }
}
