import type { AppParts } from '#app-context.ts'
import { settlesWithin } from '#async/timeout.ts'
import { type Config, readConfig } from '#config/config.ts'
import { ConfigError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { openDatabase } from '#persistence/connection/client.ts'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { type DatabaseServer, openStore } from './open-resources.ts'
import {
  closeInTime,
  drain,
  drainTimeouts,
  ForcedExit,
  onStopSignal,
  shutdownTimeouts,
  stopSeconds,
} from './shutdown.ts'

export interface Running {
  /** Connects to the database, or starts an embedded one. */
  database(config: Config): Promise<DatabaseServer>
  build(parts: AppParts): Promise<App>
  /** Called when the app accepts requests. */
  onReady?(app: App, parts: AppParts): Promise<void>
}

/**
 * Runs an app until SIGTERM or Ctrl-C, then lets transfers finish within the grace period. Every later step has a limit of its own
 * ({@link shutdownTimeouts}), and {@link ForcedExit} ends a process that does not end by itself.
 */
export async function runApp(env: NodeJS.ProcessEnv, running: Running): Promise<void> {
  const config = readConfig(env)
  const stopping = onStopSignal()
  const forcedExit = new ForcedExit()
  void stopping.then(() => forcedExit.exitAfter(stopSeconds(config)))
  try {
    const server = await unlessStopped(stopping, running.database(config))
    const ended = Promise.race([stopping, server.exited])
    try {
      await runOn(server.url, config, running, { stopping, ended, forcedExit })
    } finally {
      forcedExit.exitAfter(shutdownTimeouts.postgresSeconds)
      await server.stop()
    }
  } catch (error) {
    if (!(error instanceof StoppedWhileStarting)) throw error
  } finally {
    forcedExit.exitUnlessDone(shutdownTimeouts.exitSeconds)
  }
}

interface StopConditions {
  /** Resolves at the stop signal. */
  stopping: Promise<undefined>
  /** Resolves at the stop signal, or with an error when the embedded Postgres has ended. */
  ended: Promise<Error | undefined>
  forcedExit: ForcedExit
}

async function runOn(databaseUrl: string, config: Config, running: Running, stop: StopConditions): Promise<void> {
  const { stopping, ended, forcedExit } = stop
  await unlessStopped(stopping, migrateUnlessStopped(stopping, databaseUrl))
  await using cleanup = new AsyncDisposableStack()
  const database = openDatabase(databaseUrl, config.databasePoolSize)
  cleanup.defer(() => closeInTime(database))
  const store = await openStore(config)
  cleanup.defer(() => closeInTime(store))

  let draining = false
  const parts = { config, database, store, isDraining: () => draining }
  const app = await running.build(parts)
  forcedExit.warn = (details, message) => app.log.warn(details, message)
  cleanup.defer(() => closeInTime(app))
  await listen(app, config)
  app.log.info({ store: store.description }, 'ready')
  await unlessStopped(stopping, running.onReady?.(app, parts) ?? Promise.resolve())

  const problem = await ended
  draining = true
  if (problem) app.log.fatal({ err: problem }, 'stopping')
  await drain(app, problem ? { wait: 0, grace: 0 } : drainTimeouts(config))
  if (problem) throw problem
}

/** The stop signal came before the app was ready. */
class StoppedWhileStarting extends Error {}

/**
 * The result of a step of the start. After the stop signal the step has `startSeconds` more, and its failure is ignored, so that a
 * silent database does not keep the process alive.
 * @throws StoppedWhileStarting after the stop signal; the error of the step before it
 */
async function unlessStopped<T>(stopping: Promise<undefined>, step: Promise<T>): Promise<T> {
  let isStopping = false
  const stopped = stopping.then(async () => {
    isStopping = true
    await settlesWithin(shutdownTimeouts.startSeconds * 1000, step)
    throw new StoppedWhileStarting()
  })
  try {
    return await Promise.race([step, stopped])
  } catch (error) {
    throw isStopping ? new StoppedWhileStarting() : error
  }
}

/** Migrates the database. The stop signal aborts the migration, including its wait for locks. */
function migrateUnlessStopped(stopping: Promise<undefined>, databaseUrl: string): Promise<void> {
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
