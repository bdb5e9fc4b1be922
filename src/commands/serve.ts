import { type Config, ConfigError, readConfig } from '../config.ts'
import { openDatabase } from '../db/client.ts'
import { migrateDatabase } from '../db/migrate.ts'
import { demoText } from '../embedded/demo.ts'
import type { App } from '../http/app.ts'
import { buildServer } from '../server.ts'
import { openStore, runDatabase, urlSigningKeyOf } from './parts.ts'

/** `stowage serve`: runs the server until SIGTERM or Ctrl-C, then lets transfers finish within the grace period. */
export async function serve(env: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(env)
  const stopping = onStopSignal()
  const server = await runDatabase(config, (message) => console.error(message))
  try {
    await serveWith(config, server.url, Promise.race([stopping, server.exited]))
  } finally {
    await server.stop()
  }
}

/** @param ended resolves when it is time to stop, with an error when something that is needed has gone */
async function serveWith(config: Config, databaseUrl: string, ended: Promise<Error | undefined>): Promise<void> {
  await migrateDatabase(databaseUrl)
  await using cleanup = new AsyncDisposableStack()
  const database = openDatabase(databaseUrl)
  cleanup.defer(() => database.close())
  const store = await openStore(config)
  cleanup.defer(() => store.close())

  let draining = false
  const urlSigningKey = await urlSigningKeyOf(config)
  const app = await buildServer({ config, database, store, urlSigningKey, isDraining: () => draining })
  cleanup.defer(() => app.close())
  await listen(app, config)
  app.log.info({ store: store.description }, 'ready')
  if (config.demo ?? config.databaseUrl === undefined) console.log(await demoText(app, database.db, config))

  const problem = await ended
  draining = true
  if (problem) app.log.fatal({ err: problem }, 'stopping')
  await drain(app, problem ? 0 : config.shutdownGraceSeconds)
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

/** Takes no new connections, closes each one as soon as it is idle, and whatever is left when the grace is over. */
async function drain(app: App, graceSeconds: number): Promise<void> {
  app.log.info({ graceSeconds }, 'draining')
  const idle = setInterval(() => app.server.closeIdleConnections(), 100)
  const grace = setTimeout(() => app.server.closeAllConnections(), graceSeconds * 1000)
  await app.close()
  clearInterval(idle)
  clearTimeout(grace)
}

/** npm passes on to us the Ctrl-C that the terminal has sent to us as well; this many milliseconds later it is another. */
const sameCtrlC = 500

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function onStopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let askedAt: number | undefined
    const stop = () => {
      if (askedAt !== undefined && performance.now() - askedAt > sameCtrlC) process.exit(130)
      askedAt ??= performance.now()
      resolve(undefined)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
