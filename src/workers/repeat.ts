import type { FastifyBaseLogger } from 'fastify'

export interface Repeating {
  /** Runs the job now, or once more when it is running. */
  wake(): void
  /** No further run; resolves when the one under way has ended. */
  stop(): Promise<void>
}

export interface RepeatOptions {
  name: string
  /** Between the end of one run and the start of the next, in milliseconds; spread by a fifth, so replicas do not march in step. */
  every: number
  log: FastifyBaseLogger
  /** Returns true when there is more to do at once. The signal aborts when the server stops. */
  job(signal: AbortSignal): Promise<boolean>
}

/** Runs a job again and again until stopped. A run that fails is logged and tried again at the next round. */
export function repeat({ name, every, log, job }: RepeatOptions): Repeating {
  const stopping = new AbortController()
  let alarm: { timer: NodeJS.Timeout; ring: () => void } | undefined
  let woken = false

  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, every * (0.9 + Math.random() * 0.2))
      timer.unref()
      alarm = { timer, ring: resolve }
    })
  const ring = () => {
    clearTimeout(alarm?.timer)
    alarm?.ring()
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      woken = false
      let more = false
      try {
        more = await job(stopping.signal)
      } catch (error) {
        if (!stopping.signal.aborted) log.warn({ err: error, worker: name }, 'worker failed, will try again')
      }
      if (!more && !woken && !stopping.signal.aborted) await pause()
    }
  })()

  return {
    wake() {
      woken = true
      ring()
    },
    async stop() {
      stopping.abort()
      ring()
      await running
    },
  }
}
