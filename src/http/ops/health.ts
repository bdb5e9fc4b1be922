import { limits } from '#domain/limits.ts'
import type { Logger } from '#domain/logger.ts'
import type { App } from '#http/app.ts'
import type { DatabaseClient } from '#persistence/connection/client.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { onceASecond, withinLimit } from './probes.ts'
export interface Health extends Dependencies {
  /** True from the moment the server is asked to stop. */
  isDraining(): boolean
}

/** `GET /livez`: the process answers. `GET /readyz`: it can take work: database and store answer, and it is not stopping. */
export function healthRoutes(app: App, { isDraining, ...dependencies }: Health): void {
  const look = watchReadiness(dependencies, app.log)
  app.get('/livez', { logLevel: 'silent' }, async () => ({ status: 'ok' }))
  app.get('/readyz', { logLevel: 'silent' }, async (_request, reply) => {
    const { database, store } = await look()
    const draining = isDraining()
    const ready = database === undefined && store === undefined && !draining
    const checks = { database: word(database), store: word(store), draining }
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', ...checks })
  })
}

function word(reason: string | undefined): string {
  return reason === undefined ? 'ok' : 'unavailable'
}

export interface Dependencies {
  database: DatabaseClient
  store: ObjectStore
}

/** Why a dependency cannot be used; `undefined` when it can. */
export type Found = Readonly<Record<keyof Dependencies, string | undefined>>

/**
 * Whether the database takes writes and the store answers, as one probe a second finds it. Each change is one line of the
 * log, with the reason.
 */
export function watchReadiness({ database, store }: Dependencies, log: Logger): () => Promise<Found> {
  let last: Found = { database: undefined, store: undefined }
  return onceASecond(async () => {
    const [ofDatabase, ofStore] = await Promise.all([
      reasonOf(withinLimit(() => database.ping(limits.readiness))),
      reasonOf(withinLimit((signal) => store.check(signal))),
    ])
    const found = { database: ofDatabase, store: ofStore }
    for (const name of ['database', 'store'] as const) tellChange(log, name, last[name], found[name])
    last = found
    return found
  })
}

/** Logs when a dependency goes and comes back. A change of the reason is not logged, because an outage has many. */
function tellChange(log: Logger, name: string, before: string | undefined, now: string | undefined): void {
  if (now !== undefined && before === undefined) log.warn({ reason: now }, `not ready: the ${name} cannot be used`)
  if (now === undefined && before !== undefined) log.info(`the ${name} can be used again`)
}

async function reasonOf(asking: Promise<void>): Promise<string | undefined> {
  try {
    await asking
    return undefined
  } catch (error) {
    return told(error)
  }
}

/** The message of an error and of its causes: `fetch failed` alone names no remedy. */
function told(error: unknown): string {
  const { message, code, cause } = error as NodeJS.ErrnoException
  const own = message || code || String(error)
  const below = cause === undefined ? own : told(cause)
  return own.includes(below) ? own : `${own}: ${below}`
}
