import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { settlesWithin } from '#async/timeout.ts'
import type { Config } from '#config/config.ts'
import type { App } from '#http/app.ts'
import { stopListening } from '#http/connections/stop-listening.ts'

/** Limits of the shutdown steps that the grace period does not cover. A step that takes longer is abandoned. */
export const shutdownTimeouts = {
  /** For the step of the start that is under way at the stop signal. */
  startSeconds: 5,
  /** For recording the transfers that were cut off. Recovery fails the ones not recorded in time. */
  flushSeconds: 5,
  /** For closing each of app, store and database. */
  closeSeconds: 1,
  /** For the embedded Postgres to end. */
  postgresSeconds: 20,
  /** For resources that keep the process alive after the last step. */
  exitSeconds: 0.5,
}

/** npm forwards Ctrl-C, so one key press arrives twice. A second signal after this many milliseconds is a second key press. */
const repeatedSignalWindow = 500

/** Resolves at the first SIGTERM or SIGINT. A second signal ends the process at once. */
export function onStopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let firstAt: number | undefined
    const stop = () => {
      if (firstAt !== undefined && performance.now() - firstAt > repeatedSignalWindow) process.exit(130)
      firstAt ??= performance.now()
      resolve(undefined)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/** In seconds. */
interface DrainTimeouts {
  /** How long new requests are still accepted. */
  wait: number
  /** How long transfers may continue after that. */
  grace: number
}

/** The drain timeouts of the settings. The default wait is 5 seconds in production, and none elsewhere. */
export function drainTimeouts({ shutdownWaitSeconds, shutdownGraceSeconds, production }: Config): DrainTimeouts {
  return { wait: shutdownWaitSeconds ?? (production ? 5 : 0), grace: shutdownGraceSeconds }
}

/** Seconds from the stop signal to the end of the last step before Postgres stops. */
export function stopSeconds(config: Config): number {
  const { wait, grace } = drainTimeouts(config)
  return wait + grace + shutdownTimeouts.flushSeconds + 4 * shutdownTimeouts.closeSeconds
}

/**
 * Drains the app in three phases:
 *
 * 1. For `wait` seconds everything continues and only readiness fails, until every load balancer has noticed.
 * 2. No new connection is accepted, and each response closes its connection. Load balancers get `wait` seconds again to close their
 *    idle connections, because an idle connection closed by the server may just be carrying a request.
 * 3. Each connection is closed as soon as it is idle, and every other connection when the grace period ends.
 *
 * Before the promise resolves, the transfers that were cut off are recorded as failed, if the database allows it within
 * `flushSeconds`.
 */
export async function drain(app: App, { wait, grace }: DrainTimeouts): Promise<void> {
  app.log.info({ waitSeconds: wait, graceSeconds: grace }, 'draining')
  await delay(wait * 1000)
  const noneLeft = once(app.server, 'close')
  await stopListening(app.server)
  const graceEnds = performance.now() + grace * 1000
  await settlesWithin(Math.min(wait, grace) * 1000, noneLeft)
  const left = graceEnds - performance.now()
  const closingIdle = setInterval(() => app.server.closeIdleConnections(), 100)
  const cutOff = setTimeout(() => app.server.closeAllConnections(), left)
  const closing = app.close().then(() => app.uploadsEnded?.())
  const isClosed = await settlesWithin(left + shutdownTimeouts.flushSeconds * 1000, closing)
  if (!isClosed) app.log.warn('what was cut off is left to the recovery')
  clearInterval(closingIdle)
  clearTimeout(cutOff)
}

/** Closes a resource, and abandons it after `closeSeconds`. */
export async function closeInTime(resource: { close(): Promise<unknown> }): Promise<void> {
  await settlesWithin(shutdownTimeouts.closeSeconds * 1000, resource.close())
}

/** Ends a process that does not end by itself, because a silent dependency can keep sockets open that cannot be closed. */
export class ForcedExit {
  #timer: NodeJS.Timeout | undefined
  /** Logs the open resources, on the console until the app has a logger. */
  warn = (details: { stillOpen: Record<string, number> }, message: string): void => console.error(message, details)

  /**
   * Exits the process after a time. A further call replaces the time.
   * @param seconds from now
   */
  exitAfter(seconds: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#exit(), seconds * 1000)
  }

  /** Exits the process after `seconds`, unless the event loop is empty before. */
  exitUnlessDone(seconds: number): void {
    this.exitAfter(seconds)
    this.#timer?.unref()
  }

  #exit(): void {
    const stillOpen: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) stillOpen[kind] = (stillOpen[kind] ?? 0) + 1
    this.warn({ stillOpen }, 'not everything could be closed, ending all the same')
    process.exit()
  }
}
