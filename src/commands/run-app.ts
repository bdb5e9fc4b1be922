import { setTimeout as delay } from 'node:timers/promises'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { type DatabaseClient, openDatabase } from '../db/client.ts'
import { migrateDatabase } from '../db/migrate.ts'
import type { App } from '../http/app.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type DatabaseServer, openStore } from './parts.ts'
import { onStopSignal } from './stop-signal.ts'

/** What a process that runs until it is stopped is made of. */
export interface AppParts {
  config: Config
  database: DatabaseClient
  store: ObjectStore
  /** From the moment the process is asked to stop. */
  isDraining: () => boolean
}

export interface Running {
  /** Connects to the database, or runs one. */
  database(config: Config): Promise<DatabaseServer>
  build(parts: AppParts): Promise<App>
  /** Once requests are taken. */
  onReady?(app: App, parts: AppParts): Promise<void>
}

/** Runs an app until SIGTERM or Ctrl-C, then lets transfers finish within the grace period. */
export async function runApp(env: NodeJS.ProcessEnv, running: Running): Promise<void> {
  const config = readConfig(env)
  const stopping = onStopSignal()
  const server = await running.database(config)
  try {
    if (!(await migrated(server.url, stopping))) return
    await runOn(server.url, config, running, Promise.race([stopping, server.exited]))
  } finally {
    await server.stop()
  }
}

/** @returns false when `stopping` resolved before it was done */
async function migrated(databaseUrl: string, stopping: Promise<unknown>): Promise<boolean> {
  const asked = new AbortController()
  stopping.then(() => asked.abort())
  try {
    await migrateDatabase(databaseUrl, asked.signal)
  } catch (error) {
    if (!asked.signal.aborted) throw error
  }
  return !asked.signal.aborted
}

/** @param ended resolves when it is time to stop, with an error when something that is needed has gone */
async function runOn(databaseUrl: string, config: Config, running: Running, ended: Promise<Error | undefined>) {
  await using cleanup = new AsyncDisposableStack()
  const database = openDatabase(databaseUrl, config.databasePoolSize)
  cleanup.defer(() => database.close())
  const store = await openStore(config)
  cleanup.defer(() => store.close())

  let draining = false
  const parts = { config, database, store, isDraining: () => draining }
  const app = await running.build(parts)
  cleanup.defer(() => app.close())
  await listen(app, config)
  app.log.info({ store: store.description }, 'ready')
  await running.onReady?.(app, parts)

  const problem = await ended
  draining = true
  if (problem) app.log.fatal({ err: problem }, 'stopping')
  await drain(app, problem ? { wait: 0, grace: 0 } : patience(config))
  if (problem) throw problem
}

/** @throws ConfigError when the address cannot be listened on */
async function listen(app: App, { host, port, production }: Config): Promise<void> {
  const address = { host: host ?? (production ? '0.0.0.0' : '127.0.0.1'), port }
  try {
    await app.listen(address)
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    const problem =
      code === 'EADDRINUSE'
        ? `PORT ${port} is taken by another program: stop that one, or set another PORT`
        : `HOST ${address.host} and PORT ${port} cannot be listened on (${code}): set others`
    throw new ConfigError([problem])
  }
}

/** In seconds: how long new requests are still taken, and how long transfers may then go on. */
interface Patience {
  wait: number
  grace: number
}

function patience({ shutdownWaitSeconds, shutdownGraceSeconds, production }: Config): Patience {
  return { wait: shutdownWaitSeconds ?? (production ? 5 : 0), grace: shutdownGraceSeconds }
}

/** Seconds for writing down what was cut off; what is not written by then, because the database is away, the recovery finds. */
const lastWords = 5

async function withinSeconds(seconds: number, work: Promise<void> | undefined): Promise<void> {
  const done = new AbortController()
  const late = delay(seconds * 1000, undefined, { signal: done.signal }).catch(() => {})
  await Promise.race([work, late])
  done.abort()
}

/**
 * For a while, everything goes on and only readiness fails, until every load balancer has seen it. Then no new connection
 * is taken, each one is closed as soon as it is idle, and whatever is left when the grace is over. What that cuts off is
 * written down as failed before this resolves.
 */
async function drain(app: App, { wait, grace }: Patience): Promise<void> {
  app.log.info({ waitSeconds: wait, graceSeconds: grace }, 'draining')
  await delay(wait * 1000)
  const closingIdle = setInterval(() => app.server.closeIdleConnections(), 100)
  const patience = setTimeout(() => app.server.closeAllConnections(), grace * 1000)
  await app.close()
  clearInterval(closingIdle)
  clearTimeout(patience)
  await withinSeconds(lastWords, app.uploadsEnded?.())
}
