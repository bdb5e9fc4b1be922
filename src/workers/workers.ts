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
  /** Resolves when every worker has ended. A worker that does not end is abandoned after some seconds. */
  stop(): Promise<void>
}

const minutes = 60_000

/**
 * Starts the background workers, in every replica or in separate processes. During a hold (see `persistence/server-identity.ts`) no
 * worker runs, because each of them fails attempts, or removes bytes or rows.
 * @param isHere false when the workers run in another process; the wake functions then do nothing
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
  const interval = Math.min(5000, (config.uploadLeaseSeconds * 1000) / 4)
  const round = { every: interval, limit: limits.workerRound, log }
  const sweeps = new Sweeps()
  const purging = poll({ ...round, name: 'purge', job: (signal) => purge(context, signal) })
  const deletions = poll({ ...round, name: 'deletions', job: () => resumeDeletions(context) })
  const all = [
    purging,
    deletions,
    poll({ ...round, name: 'recovery', job: () => recover(context) }),
    // No limit for the run, because it reads whole files. Each wait for the store and each lease has a limit.
    poll({ name: 'verification', every: interval, log, job: (signal) => retryVerification(context, signal) }),
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
