import { withTimeout } from '#async/timeout.ts'
import { limits } from '#domain/limits.ts'

/**
 * The answer of a dependency to a probe of an operator, who waits for `limits.readiness`.
 * @param ask gets a signal that aborts when the time is over
 * @throws what `ask` fails with; an Error without an answer in time
 */
export function withinLimit<T>(ask: (late: AbortSignal) => Promise<T>): Promise<T> {
  return withTimeout(limits.readiness, ask, () => new Error(`no answer within ${limits.readiness / 1000} s`))
}
