import { limits } from '../../limits.ts'

/**
 * What `ask` finds.
 * @param ask gets a signal that aborts when it is too late
 * @throws its error; one that says so when it has not answered in time
 */
export function withinLimit<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(limits.readiness)
  const late = new Promise<never>((_, reject) => {
    const tell = () => reject(new Error(`no answer within ${limits.readiness / 1000} s`))
    signal.addEventListener('abort', tell, { once: true })
  })
  return Promise.race([ask(signal), late])
}
