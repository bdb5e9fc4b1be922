import type { Logger } from '#domain/logger.ts'
import { settlesWithin, withTimeout } from './timeout.ts'

export interface PollLoop {
  /** Runs the job now, or once more after a run in progress. After a failure the pause is kept. */
  wake(): void
  /** Starts no further run. Resolves when the run in progress has ended, or after `stopLimit`. */
  stop(): Promise<void>
}

export interface PollOptions {
  name: string
  /** Milliseconds between two runs. The pause varies at random by a fifth, so that replicas do not run in step. */
  every: number
  /**
   * Milliseconds after which a run is abandoned. Unset: the job limits its own waits. A job that ignores its signal may
   * still be running when the next run starts. Two concurrent runs are as safe as two replicas: each run claims its work
   * in the database for a limited time, and every transition is a compare-and-set.
   */
  limit?: number
  /** Milliseconds that `stop` waits for the run in progress. Default: 5000. */
  stopLimit?: number
  log: Logger
  /** Returns true to run again without a pause. The signal aborts when the loop stops or the run is abandoned. */
  job(signal: AbortSignal): Promise<boolean>
}

/** The longest pause while runs fail, as a multiple of `every`. A store that is available again must be noticed soon. */
const maxPauseFactor = 2

/** Runs a job repeatedly until stopped. A failed run is logged. The pause grows with the failures in a row. */
export function startPolling({ name, every, limit, stopLimit = 5000, log, job }: PollOptions): PollLoop {
  const stopping = new AbortController()
  let pausing: { timer: NodeJS.Timeout; resolve: () => void } | undefined
  let woken = false
  let failures = 0

  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, failures === 0 ? spread(every, 0.2) : pauseAfter(failures, every))
      timer.unref()
      pausing = { timer, resolve }
    })
  const endPause = () => {
    clearTimeout(pausing?.timer)
    pausing?.resolve()
  }
  const run = async () => {
    try {
      const hasMore = await runOnce(job, stopping.signal, limit)
      failures = 0
      return hasMore
    } catch (error) {
      failures += 1
      if (!stopping.signal.aborted) log.warn({ err: error, worker: name }, 'worker failed, will try again')
      return false
    }
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      woken = false
      const hasMore = await run()
      const runsAtOnce = hasMore || (woken && failures === 0)
      if (!runsAtOnce && !stopping.signal.aborted) await pause()
    }
  })()

  let stopped: Promise<void> | undefined
  const stop = async () => {
    stopping.abort()
    endPause()
    const hasEnded = await settlesWithin(stopLimit, running)
    if (!hasEnded) log.warn({ worker: name }, 'worker does not end, and is left behind')
  }

  return {
    wake() {
      woken = true
      if (failures === 0) endPause()
    },
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}

/** @throws the job's error; an Error when the run exceeds its limit, with the job's signal aborted */
function runOnce(job: PollOptions['job'], stopping: AbortSignal, limit: number | undefined): Promise<boolean> {
  if (limit === undefined) return job(stopping)
  const timeoutError = () => new Error(`The run has not ended within ${limit} ms and is given up.`)
  return withTimeout(limit, (timeout) => job(AbortSignal.any([stopping, timeout])), timeoutError)
}

/** Doubles with each failure in a row up to the longest pause. Varies at random by half, so that replicas do not run in step. */
function pauseAfter(failures: number, every: number): number {
  return spread(every * Math.min(2 ** (failures - 1), maxPauseFactor), 0.5)
}

/** @param share width of the random variation, as a share of the time */
function spread(milliseconds: number, share: number): number {
  return milliseconds * (1 + share * (Math.random() - 0.5))
}
