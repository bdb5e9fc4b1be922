/**
 * Waits for `work` for a limited time. Work that takes longer continues, and its later failure is ignored.
 * @param milliseconds the longest wait
 * @returns whether the work ended in time
 * @throws the work's error, when it fails in time
 */
export async function settlesWithin(milliseconds: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const expired = Promise.withResolvers<false>()
  const timer = setTimeout(() => expired.resolve(false), milliseconds)
  try {
    return await Promise.race([Promise.resolve(work).then(() => true), expired.promise])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The result of `work` within a limited time.
 * @param milliseconds the longest wait
 * @param work receives a signal that aborts with the timeout error. The work may continue after that.
 * @param timeoutError makes the timeout error
 * @throws the work's error, when it fails in time; the timeout error
 */
export async function withTimeout<T>(
  milliseconds: number,
  work: (timeout: AbortSignal) => Promise<T>,
  timeoutError: () => Error,
): Promise<T> {
  const timeout = new AbortController()
  const result = work(timeout.signal)
  if (await settlesWithin(milliseconds, result)) return await result
  const error = timeoutError()
  timeout.abort(error)
  throw error
}
