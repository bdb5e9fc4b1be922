import { setTimeout as delay } from 'node:timers/promises'

/** Pauses in milliseconds. A restarted database or store is available before the last try. */
export const defaultBackoff: readonly number[] = [1_000, 4_000, 15_000]

/**
 * Repeats work that fails with a transient error, after each of the pauses.
 * @param pauses milliseconds
 * @throws the work's first permanent error, or its last error; the signal's reason
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
