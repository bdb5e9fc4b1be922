import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { App } from '#http/app.ts'
import type { Database } from '#persistence/connection/client.ts'
import { readScrubState, type ScrubState } from '#persistence/queries.ts'
import { readHold } from '#persistence/server-identity.ts'
import { onceASecond, probeInTime } from './probes.ts'

export interface Measured {
  db: Database
  /** Set in a process that serves requests. */
  transfers?: Transfers
}

export interface Transfers {
  readonly uploads: { readonly taken: number }
  readonly downloads: { readonly taken: number }
  /** The number of open client connections. */
  connections(): Promise<number>
  /** The number of refusals for each reason. */
  readonly refusals: ReadonlyMap<string, number>
}

/**
 * `GET /metrics`, in the text format of Prometheus: this process, and the results of the scrub in the database. Without a
 * database, the response has the other metrics.
 */
export function metricsRoute(app: App, { db, transfers }: Measured): void {
  const read = async () => ({ scrub: await readScrubState(db), heldSince: await readHold(db) })
  const readDatabase = onceASecond(() => probeInTime(read).catch(() => undefined))
  // Each reading opens files in `/proc`, so it is shared.
  const readProcess = onceASecond(() => processMetrics().metrics())
  app.get('/metrics', { logLevel: 'silent' }, async (_request, reply) => {
    const registry = new Registry()
    const state = await readDatabase()
    gauge(registry, 'stowage_database_up', 'Whether the database answers.', state === undefined ? 0 : 1)
    if (state) {
      addScrub(registry, state.scrub)
      const help = 'Whether failing uploads and removing bytes is held after a failover or a restore.'
      gauge(registry, 'stowage_held', help, state.heldSince === undefined ? 0 : 1)
    }
    if (transfers) await addTransfers(registry, transfers)
    return reply.type(registry.contentType).send((await readProcess()) + (await registry.metrics()))
  })
}

async function addTransfers(registry: Registry, { uploads, downloads, connections, refusals }: Transfers) {
  gauge(registry, 'stowage_uploads_in_progress', 'Upload requests under way.', uploads.taken)
  gauge(registry, 'stowage_downloads_in_progress', 'Downloads under way.', downloads.taken)
  gauge(registry, 'stowage_connections', 'Client connections that are open.', await connections())
  const help = 'Requests and connections that a limit turned away or ended.'
  const refused = new Counter({
    name: 'stowage_refusals_total',
    help,
    labelNames: ['reason'],
    registers: [registry],
  })
  for (const [reason, count] of refusals) refused.inc({ reason }, count)
}

function addScrub(registry: Registry, { damaged, last }: ScrubState): void {
  gauge(registry, 'stowage_objects_damaged', 'Objects that were damaged or missing when last read.', damaged)
  if (last === undefined) return
  const end = 'When the last scrub that saw everything ended, in seconds since 1970.'
  gauge(registry, 'stowage_scrub_last_end_timestamp_seconds', end, last.endedAt.getTime() / 1000)
  const help = 'What the last scrub that saw everything found.'
  const found = new Gauge({
    name: 'stowage_scrub_last_objects',
    help,
    labelNames: ['result'],
    registers: [registry],
  })
  for (const [result, count] of Object.entries(last.counts)) found.set({ result }, count)
}

function gauge(registry: Registry, name: string, help: string, value: number): void {
  new Gauge({ name, help, registers: [registry] }).set(value)
}

let processRegistry: Registry | undefined

/** prom-client's default metrics. Each registry observes the event loop and the garbage collector, so the process has only one. */
function processMetrics(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry()
    collectDefaultMetrics({ register: processRegistry })
  }
  return processRegistry
}
