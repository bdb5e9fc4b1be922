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

/** Milliseconds for which an answer serves all who ask. */
const fresh = 1_000

/**
 * Shares one question among all who ask: it is not asked again while it is unanswered, nor within a second of being asked. So
 * polls cost the same however many there are, and do not pile up on a dependency that is silent.
 */
export function onceASecond<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  let askedAt = 0
  let isAsking = false
  return () => {
    const now = performance.now()
    if (answer === undefined || (!isAsking && now - askedAt >= fresh)) {
      askedAt = now
      isAsking = true
      answer = ask().finally(() => {
        isAsking = false
      })
    }
    return answer
  }
}
