import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds: a database or a store that is started anew is back by then. */
export const defaultBackoff: readonly number[] = [1_000, 4_000, 15_000]

/**
 * Does again, after each of the pauses, what failed with an error that may pass.
 * @throws its error, the last one when it failed every time; or the signal's reason
 */
export async function retry<T>(
  work: () => Promise<T>,
  isTransient: (error: unknown) => boolean,
  { pauses, signal }: { pauses: readonly number[]; signal: AbortSignal },
): Promise<T> {
  for (const pause of pauses) {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      if (!isTransient(error)) throw error
      await delay(pause, undefined, { signal })
    }
  }
  return work()
}
