import type { FastifyBaseLogger } from 'fastify'
import { limits } from '#domain/limits.ts'
import type { DatabaseClient } from '#persistence/connection/client.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { onceASecond } from './once-a-second.ts'
import { withinLimit } from './within-limit.ts'

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
export function watchReadiness({ database, store }: Dependencies, log: FastifyBaseLogger): () => Promise<Found> {
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
function tellChange(log: FastifyBaseLogger, name: string, before: string | undefined, now: string | undefined): void {
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
