import { limits } from '#domain/limits.ts'
import type { Logger } from '#domain/logger.ts'
import type { App } from '#http/app.ts'
import type { DatabaseClient } from '#persistence/connection/client.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { onceASecond, probeInTime } from './probes.ts'

export interface Health extends Dependencies {
  /** True once the server has been asked to stop. */
  isDraining(): boolean
}

/**
 * `GET /livez`: the process responds. `GET /readyz`: the process can serve requests, because the database and the store respond
 * and it is not stopping.
 */
export function healthRoutes(app: App, { isDraining, ...dependencies }: Health): void {
  const checkReadiness = watchReadiness(dependencies, app.log)
  app.get('/livez', { logLevel: 'silent' }, async () => ({ status: 'ok' }))
  app.get('/readyz', { logLevel: 'silent' }, async (_request, reply) => {
    const { database, store } = await checkReadiness()
    const draining = isDraining()
    const ready = database === undefined && store === undefined && !draining
    const checks = { database: statusText(database), store: statusText(store), draining }
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', ...checks })
  })
}

function statusText(reason: string | undefined): string {
  return reason === undefined ? 'ok' : 'unavailable'
}

export interface Dependencies {
  database: DatabaseClient
  store: ObjectStore
}

/** The reason why each dependency cannot be used; `undefined` when it can. */
export type Found = Readonly<Record<keyof Dependencies, string | undefined>>

/**
 * Probes, at most once a second, whether the database accepts writes and the store responds. Each change is logged in one line,
 * with the reason.
 */
export function watchReadiness({ database, store }: Dependencies, log: Logger): () => Promise<Found> {
  let last: Found = { database: undefined, store: undefined }
  return onceASecond(async () => {
    const [databaseReason, storeReason] = await Promise.all([
      reasonOf(probeInTime(() => database.ping(limits.readiness))),
      reasonOf(probeInTime((signal) => store.check(signal))),
    ])
    const found = { database: databaseReason, store: storeReason }
    for (const name of ['database', 'store'] as const) logChange(log, name, last[name], found[name])
    last = found
    return found
  })
}

/** Logs when a dependency becomes unavailable or available again. A new reason is not logged, because an outage has many. */
function logChange(log: Logger, name: string, before: string | undefined, now: string | undefined): void {
  if (now !== undefined && before === undefined) log.warn({ reason: now }, `not ready: the ${name} cannot be used`)
  if (now === undefined && before !== undefined) log.info(`the ${name} can be used again`)
}

async function reasonOf(probe: Promise<void>): Promise<string | undefined> {
  try {
    await probe
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** The message of an error with those of its causes, since `fetch failed` alone suggests no remedy. */
function messageOf(error: unknown): string {
  const { message, code, cause } = error as NodeJS.ErrnoException
  const own = message || code || String(error)
  const causeMessage = cause === undefined ? own : messageOf(cause)
  return own.includes(causeMessage) ? own : `${own}: ${causeMessage}`
}
