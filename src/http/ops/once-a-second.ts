/** Milliseconds for which an answer is told to everybody who asks. */
const fresh = 1_000

/**
 * One question shared by all who want to know: while it is unanswered, and for a second after it was asked, nobody asks
 * again. So polls cost the same however many there are, and do not pile up on a dependency that is silent.
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
