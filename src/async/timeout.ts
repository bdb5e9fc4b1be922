import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits for `work`, but not for ever. Work that takes longer goes on, and its failure is then passed over.
 * @param milliseconds the longest wait
 * @returns whether the work has ended by then
 * @throws what `work` fails with by then
 */
export async function settlesWithin(milliseconds: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const settled = new AbortController()
  const late = delay(milliseconds, false, { signal: settled.signal }).catch(() => false)
  try {
    return await Promise.race([Promise.resolve(work).then(() => true), late])
  } finally {
    settled.abort()
  }
}

/**
 * The result of `work`, if it comes in time.
 * @param milliseconds the longest wait
 * @param work gets a signal that aborts, with the error, when the time is over; it may go on nevertheless
 * @param tooLate makes the error
 * @throws what `work` fails with in time; the error when the time is over
 */
export async function withTimeout<T>(
  milliseconds: number,
  work: (late: AbortSignal) => Promise<T>,
  tooLate: () => Error,
): Promise<T> {
  const late = new AbortController()
  const result = work(late.signal)
  if (await settlesWithin(milliseconds, result)) return await result
  const error = tooLate()
  late.abort(error)
  throw error
}
