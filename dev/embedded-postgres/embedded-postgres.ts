import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, realpath } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { findRunning } from './running-postgres.ts'
import type { SupervisorMessage } from './supervisor.ts'

export interface EmbeddedPostgresOptions {
  /** The data directory, created when it is missing. One process at a time can use it. */
  directory: string
  /** Gets a message before each step that takes time, such as the first start. */
  log?: (message: string) => void
}

export interface EmbeddedPostgresHandle {
  /** The URL of the database `stowage`, with the password. */
  url: string
  /** Resolves when the database has ended; with the reason when it was not stopped by `stop()`. Never rejects. */
  exited: Promise<Error | undefined>
  /** Stops the database, cutting its connections, and resolves when it has ended. */
  stop(): Promise<void>
}

const supervisorProgram = fileURLToPath(new URL('supervisor.ts', import.meta.url))

/** The environment of the supervisor: Postgres needs neither the secrets of Stowage nor the options of Node. */
const inheritedVariables = ['PATH', 'HOME', 'USER', 'TMPDIR', 'TZ', 'LANG']

/**
 * Runs a real PostgreSQL for this process alone, on a free port of 127.0.0.1. It ends with this process, however this
 * process ends. No signal reaches it before: `stop()` decides. It does not keep this process alive.
 * @throws Error that says what to do: when another process uses the directory, when Postgres, which does not run as root,
 * cannot reach it, when no Postgres is installed, and with the last lines of Postgres's log when it does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgresHandle> {
  const directory = await prepareDirectory(options.directory)
  const supervisor = spawnSupervisor(directory)
  const started = Promise.withResolvers<string>()
  let failure: string | undefined
  let isStopping = false
  supervisor.on('message', (message: SupervisorMessage) => {
    if ('log' in message) options.log?.(message.log)
    if ('ready' in message) started.resolve(message.ready)
    if ('failed' in message) failure = message.failed
  })
  const exited = describeEnd(supervisor).then((end) => (isStopping ? undefined : new Error(failure ?? end)))
  exited.then((error) => started.reject(error))

  const url = await started.promise
  keepAlive(supervisor, false)
  return {
    url,
    exited,
    async stop() {
      isStopping = true
      keepAlive(supervisor, true)
      if (supervisor.connected) supervisor.disconnect()
      await exited
    },
  }
}

/**
 * The database that already runs in the directory, or else one that runs until `stop()`. `stop()` leaves a database alone
 * that another process started, and `exited` of such a database never resolves.
 * @throws Error as {@link startEmbeddedPostgres} does
 */
export async function connectOrStartEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgresHandle> {
  const url = await findRunning(options.directory)
  if (url === undefined) return startEmbeddedPostgres(options)
  return { url, exited: new Promise(() => {}), stop: async () => {} }
}

/** A new directory is open to its owner alone; root's can also be entered, not read, by the user that Postgres runs as. */
async function prepareDirectory(directory: string): Promise<string> {
  const created = await mkdir(resolve(directory), { recursive: true })
  if (created !== undefined) await chmod(directory, process.getuid?.() === 0 ? 0o711 : 0o700)
  return realpath(directory)
}

function spawnSupervisor(directory: string): ChildProcess {
  const variables = inheritedVariables.map((name) => [name, process.env[name]] as const)
  return spawn(process.execPath, [supervisorProgram, directory, String(process.pid)], {
    cwd: directory,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: Object.fromEntries(variables.filter(([, value]) => value)),
  })
}

/** Resolves when the supervisor has ended and all of its output has arrived, with a description of its end. */
async function describeEnd(supervisor: ChildProcess): Promise<string> {
  const stderr = supervisor.stderr as Readable
  let complaint = ''
  stderr.on('data', (chunk) => {
    complaint = (complaint + chunk).slice(-4096)
  })
  try {
    // Node does not emit `close` after this process has disconnected.
    const [[code, signal]] = await Promise.all([
      once(supervisor, 'exit'),
      once(supervisor, 'disconnect'),
      once(stderr, 'end'),
    ])
    return `The supervisor of Postgres ended unexpectedly (${signal ?? `exit code ${code}`}). ${complaint}`.trim()
  } catch (error) {
    return `The supervisor of Postgres could not be started: ${(error as Error).message}`
  }
}

/** Sets whether the supervisor keeps this process alive: only while this process waits for it. */
function keepAlive(supervisor: ChildProcess, yes: boolean): void {
  for (const handle of [supervisor, supervisor.channel, supervisor.stderr as Socket | null]) {
    if (yes) handle?.ref()
    else handle?.unref()
  }
}
