import { settlesWithin, withTimeout } from '#async/timeout.ts'
import type { Logger } from '#domain/logger.ts'

export interface PollLoop {
  /** Runs the job now, or once more when it is running; a job that has just failed waits all the same. */
  wake(): void
  /** Begins no further run. Resolves when the run under way has ended, or is left behind because it does not end. */
  stop(): Promise<void>
}

export interface PollOptions {
  name: string
  /** Between the end of one run and the start of the next, in milliseconds; spread by a fifth, so replicas do not march in step. */
  every: number
  /**
   * Milliseconds after which a run is given up; unless given, the job limits its own waits. A job that does not heed its signal may
   * still be at work when the next run starts. Two runs at once are as safe as two replicas: each claims its work in the database
   * for a while, and every move is a compare-and-set.
   */
  limit?: number
  /** Milliseconds that `stop` waits for a run that does not end. */
  stopLimit?: number
  log: Logger
  /** Returns true when there is more to do at once. The signal aborts when the server stops or the run is given up. */
  job(signal: AbortSignal): Promise<boolean>
}

/** How many times longer than usual the pause may become while runs fail: a store that is back must be noticed soon. */
const longestPause = 2

/** Runs a job again and again until stopped. A run that fails is logged and tried again, after a pause that grows. */
export function startPolling({ name, every, limit, stopLimit = 5000, log, job }: PollOptions): PollLoop {
  const stopping = new AbortController()
  let alarm: { timer: NodeJS.Timeout; ring: () => void } | undefined
  let woken = false
  let failures = 0

  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, failures === 0 ? spread(every, 0.2) : pauseAfter(failures, every))
      timer.unref()
      alarm = { timer, ring: resolve }
    })
  const ring = () => {
    clearTimeout(alarm?.timer)
    alarm?.ring()
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
      const isPressed = hasMore || (woken && failures === 0)
      if (!isPressed && !stopping.signal.aborted) await pause()
    }
  })()

  let stopped: Promise<void> | undefined
  const stop = async () => {
    stopping.abort()
    ring()
    const hasEnded = await settlesWithin(stopLimit, running)
    if (!hasEnded) log.warn({ worker: name }, 'worker does not end, and is left behind')
  }

  return {
    wake() {
      woken = true
      if (failures === 0) ring()
    },
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}

/** @throws what the job fails with; an Error when it has not ended by its limit: then its signal has aborted */
function runOnce(job: PollOptions['job'], stopping: AbortSignal, limit: number | undefined): Promise<boolean> {
  if (limit === undefined) return job(stopping)
  const tooLate = () => new Error(`The run has not ended within ${limit} ms and is given up.`)
  return withTimeout(limit, (late) => job(AbortSignal.any([stopping, late])), tooLate)
}

/** Doubles with each failure in a row up to the longest, by half at random: many replicas must not come back at once. */
function pauseAfter(failures: number, every: number): number {
  return spread(every * Math.min(2 ** (failures - 1), longestPause), 0.5)
}

/** @param share of the time by which it may vary in all */
function spread(milliseconds: number, share: number): number {
  return milliseconds * (1 + share * (Math.random() - 0.5))
}
