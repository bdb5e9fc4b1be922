import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { settlesWithin } from '#async/timeout.ts'
import { type Config, readConfig } from '#config/config.ts'
import { ConfigError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { stopListening } from '#http/connections/stop-listening.ts'
import { type DatabaseClient, openDatabase } from '#persistence/connection/client.ts'
import { migrateDatabase } from '#persistence/migrate.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { type DatabaseServer, openStore } from './open-resources.ts'
import { ForcedExit, onStopSignal } from './shutdown.ts'

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

/** Seconds for the steps of the end that the grace period does not cover. Steps that take longer, because a dependency is silent, are left undone. */
const ending = {
  /** For what is under way while the process starts. */
  start: 5,
  /** For writing down the transfers that were cut off; the recovery finds the others. */
  flushSeconds: 5,
  /** For closing each of store and database. */
  closing: 1,
  /** For Postgres, when it is ours, to end. */
  postgres: 20,
  /** For resources that keep the process alive when nothing is left to be done. */
  process: 0.5,
}

/**
 * Runs an app until SIGTERM or Ctrl-C, then lets transfers finish within the grace period. Whatever is silent by then, the
 * process has ended {@link ending} seconds later: no wait here is without a limit, and the last resort is to exit.
 */
export async function runApp(env: NodeJS.ProcessEnv, running: Running): Promise<void> {
  const config = readConfig(env)
  const stopping = onStopSignal()
  const lastResort = new ForcedExit()
  const { wait, grace } = drainTimeouts(config)
  void stopping.then(() => lastResort.endWithin(wait + grace + ending.flushSeconds + 4 * ending.closing))
  try {
    const server = await startedUnless(stopping, running.database(config))
    const ended = Promise.race([stopping, server.exited])
    try {
      await runOn(server.url, config, running, { stopping, ended, lastResort })
    } finally {
      lastResort.endWithin(ending.postgres)
      await server.stop()
    }
  } catch (error) {
    if (!(error instanceof StoppedWhileStarting)) throw error
  } finally {
    lastResort.allDone(ending.process)
  }
}

interface Ends {
  /** Resolves when the process is asked to stop. */
  stopping: Promise<undefined>
  /** Resolves when it is time to stop, with an error when something that is needed has gone. */
  ended: Promise<Error | undefined>
  lastResort: ForcedExit
}

async function runOn(databaseUrl: string, config: Config, running: Running, ends: Ends): Promise<void> {
  const { stopping, ended, lastResort } = ends
  await startedUnless(stopping, migratedUnless(stopping, databaseUrl))
  await using cleanup = new AsyncDisposableStack()
  const closeInTime = (close: () => Promise<void>) =>
    cleanup.defer(async () => void (await settlesWithin(ending.closing * 1000, close())))
  const database = openDatabase(databaseUrl, config.databasePoolSize)
  closeInTime(() => database.close())
  const store = await openStore(config)
  closeInTime(() => store.close())

  let draining = false
  const parts = { config, database, store, isDraining: () => draining }
  const app = await running.build(parts)
  lastResort.tell = (details, message) => app.log.warn(details, message)
  closeInTime(() => app.close())
  await listen(app, config)
  app.log.info({ store: store.description }, 'ready')
  await startedUnless(stopping, running.onReady?.(app, parts) ?? Promise.resolve())

  const problem = await ended
  draining = true
  if (problem) app.log.fatal({ err: problem }, 'stopping')
  await drain(app, problem ? { wait: 0, grace: 0 } : drainTimeouts(config))
  if (problem) throw problem
}

/** The process was asked to stop before it was ready. */
class StoppedWhileStarting extends Error {}

/**
 * The result of a step of the start. Once the process is asked to stop, the step has a few seconds more and its failure is passed
 * over: a silent database does not keep the process.
 * @throws StoppedWhileStarting; before that, what the step fails with
 */
async function startedUnless<T>(stopping: Promise<undefined>, step: Promise<T>): Promise<T> {
  let isStopping = false
  const stopped = stopping.then(async () => {
    isStopping = true
    await settlesWithin(ending.start * 1000, step)
    throw new StoppedWhileStarting()
  })
  try {
    return await Promise.race([step, stopped])
  } catch (error) {
    throw isStopping ? new StoppedWhileStarting() : error
  }
}

/** Migrates; a wait for locks that others hold ends when the process is asked to stop. */
function migratedUnless(stopping: Promise<undefined>, databaseUrl: string): Promise<void> {
  const asked = new AbortController()
  void stopping.then(() => asked.abort())
  return migrateDatabase(databaseUrl, asked.signal)
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

/** In seconds. */
interface DrainTimeouts {
  /** How long new requests are still taken. */
  wait: number
  /** How long transfers may go on after that. */
  grace: number
}

function drainTimeouts({ shutdownWaitSeconds, shutdownGraceSeconds, production }: Config): DrainTimeouts {
  return { wait: shutdownWaitSeconds ?? (production ? 5 : 0), grace: shutdownGraceSeconds }
}

/**
 * For a while, everything goes on and only readiness fails, until every load balancer has seen it. Then no new connection
 * is taken and each answer ends its own. Load balancers have the same while to end those they hold idle: one that is closed
 * from here may just be carrying a request. After it, each connection is closed as soon as it is idle, and whatever is left when
 * the grace is over. What that cuts off is written down as failed before this resolves, if that can be done in a few seconds.
 */
async function drain(app: App, { wait, grace }: DrainTimeouts): Promise<void> {
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
  const isClosed = await settlesWithin(left + ending.flushSeconds * 1000, closing)
  if (!isClosed) app.log.warn('what was cut off is left to the recovery')
  clearInterval(closingIdle)
  clearTimeout(cutOff)
}
