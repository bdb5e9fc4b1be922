/** Milliseconds that whoever asks after our health waits for database and store. */
const timeLimit = 3000

/** What `ask` finds, or `undefined` when it fails or has not answered in time; `signal` aborts then. */
export async function withinLimit<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const signal = AbortSignal.timeout(timeLimit)
  const late = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  )
  return Promise.race([ask(signal).catch(() => undefined), late])
}
