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
