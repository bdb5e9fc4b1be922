import { withTimeout } from '#async/timeout.ts'
import { limits } from '#domain/limits.ts'

/**
 * Runs a probe of a dependency within `limits.readiness` milliseconds, the time for which an operator's check waits.
 * @param probe receives a signal that aborts when the time is over
 * @throws the error of `probe`; an Error when the time is over
 */
export function probeInTime<T>(probe: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withTimeout(limits.readiness, probe, () => new Error(`no answer within ${limits.readiness / 1000} s`))
}

/** Milliseconds for which all callers share a result. */
const sharedFor = 1_000

/**
 * Shares the runs of a probe among all callers. A new run starts only when the previous one is settled and at least a second has
 * passed since its start. So the cost does not grow with the number of polls, and polls do not pile up on a silent dependency.
 */
export function onceASecond<T>(probe: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  let startedAt = 0
  let isRunning = false
  return () => {
    const now = performance.now()
    if (result === undefined || (!isRunning && now - startedAt >= sharedFor)) {
      startedAt = now
      isRunning = true
      result = probe().finally(() => {
        isRunning = false
      })
    }
    return result
  }
}
