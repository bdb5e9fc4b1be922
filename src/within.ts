import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits for `work`, but not for ever. What it does after that is nobody's concern: also when it fails then.
 * @param milliseconds how long
 * @returns whether it has ended by then
 * @throws what `work` fails with by then
 */
export async function endsWithin(milliseconds: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const settled = new AbortController()
  const late = delay(milliseconds, false, { signal: settled.signal }).catch(() => false)
  try {
    return await Promise.race([Promise.resolve(work).then(() => true), late])
  } finally {
    settled.abort()
  }
}
