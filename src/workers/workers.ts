import type { AppContext } from '#app-context.ts'
import { type PollOptions, startPolling } from '#async/poll-loop.ts'
import { purge } from '#deletion/purge.ts'
import { resumeDeletions } from '#deletion/resume-deletions.ts'
import { expireRows, Sweeps } from '#deletion/retention.ts'
import { limits } from '#domain/limits.ts'
import { isHeld } from '#persistence/server-identity.ts'
import { FailedReads } from '#recovery/failed-reads.ts'
import { recover } from '#recovery/recover.ts'
import { retryVerification } from '#recovery/retry-verification.ts'

export interface Workers {
  /** Wakes the purge. */
  wakePurge(): void
  /** Wakes the worker that resumes deletions. */
  wakeDeletions(): void
  /** Resolves when every worker has ended, or after some seconds without those that have not. */
  stop(): Promise<void>
}

const minutes = 60_000

/**
 * Starts the work beside the requests: in every replica, or in processes of its own. During a hold (see
 * `persistence/server-identity.ts`) none of it runs: each worker fails attempts, or removes bytes or rows.
 * @param isHere false where the workers run in another process: then waking them does nothing
 */
export function startWorkers(
  { config, db, store, log }: Pick<AppContext, 'config' | 'db' | 'store' | 'log'>,
  isHere = true,
): Workers {
  if (!isHere) return { wakePurge() {}, wakeDeletions() {}, async stop() {} }
  const poll = ({ job, ...options }: PollOptions) =>
    startPolling({ ...options, job: async (signal) => !(await isHeld(db)) && (await job(signal)) })
  const wakePurge = () => purging.wake()
  const context = { config, db, store, log, wakePurge, failedReads: new FailedReads(config.uploadLeaseSeconds) }
  const soon = Math.min(5000, (config.uploadLeaseSeconds * 1000) / 4)
  const round = { every: soon, limit: limits.workerRound, log }
  const sweeps = new Sweeps()
  const purging = poll({ ...round, name: 'purge', job: (signal) => purge(context, signal) })
  const deletions = poll({ ...round, name: 'deletions', job: () => resumeDeletions(context) })
  const all = [
    purging,
    deletions,
    poll({ ...round, name: 'recovery', job: (signal) => recover(context, signal) }),
    // No limit: it reads whole files. Each wait for the store has a limit, and so has each lease.
    poll({ name: 'verification', every: soon, log, job: (signal) => retryVerification(context, signal) }),
    poll({ ...round, name: 'retention', every: 10 * minutes, job: () => expireRows(context, sweeps) }),
  ]
  return {
    wakePurge,
    wakeDeletions: () => deletions.wake(),
    async stop() {
      await Promise.all(all.map((worker) => worker.stop()))
    },
  }
}
