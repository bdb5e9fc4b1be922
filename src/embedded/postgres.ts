import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, realpath } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isHeld } from './postgres-lock.ts'
import { isPostgresOf } from './postgres-orphan.ts'
import type { SupervisorMessage } from './postgres-supervisor.ts'

export interface EmbeddedPostgresOptions {
  /** Where everything is kept; made when missing. One process at a time can use it. */
  directory: string
  /** Told what takes time, such as the first start. */
  log?: (message: string) => void
}

export interface EmbeddedPostgresHandle {
  /** Of the database `stowage`, password included. */
  url: string
  /** Resolves when the database has ended: with the reason when nobody asked for it. Never rejects. */
  exited: Promise<Error | undefined>
  /** Stops the database, cutting what is connected, and resolves when it has ended. */
  stop(): Promise<void>
}

const SUPERVISOR = fileURLToPath(new URL('postgres-supervisor.ts', import.meta.url))

/** How long another process's database may take to start or stop before it is an obstacle, in milliseconds. */
const CHANGE_LIMIT = 10_000

/** All of our environment that the supervisor gets: Postgres has no business with our secrets or Node's options. */
const INHERITED = ['PATH', 'HOME', 'USER', 'TMPDIR', 'TZ', 'LANG']

/**
 * Runs a real PostgreSQL for this process alone, on a free port of 127.0.0.1. It ends with this process, however that
 * ends, but no signal reaches it before: `stop()` decides. Does not keep this process alive.
 *
 * Rejects with a message that says what to do: when another process uses the directory, when Postgres, which does not
 * run as root, cannot reach it, and with the last lines of Postgres's log when it does not start.
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
 * The database that already runs in the directory, or else one that runs until `stop()`. `stop()` leaves alone what
 * it did not start, and `exited` of such a one never resolves. Rejects as {@link startEmbeddedPostgres} does.
 */
export async function connectOrStartEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgresHandle> {
  const url = await findRunning(options.directory)
  if (url === undefined) return startEmbeddedPostgres(options)
  return { url, exited: new Promise(() => {}), stop: async () => {} }
}

/** The URL of the database that runs in `directory`; one that is just starting or stopping is waited for. */
async function findRunning(directory: string): Promise<string | undefined> {
  const home = await realpath(directory).catch(() => undefined)
  if (home === undefined) return undefined
  for (const deadline = Date.now() + CHANGE_LIMIT; ; await delay(50)) {
    const url = await readRunning(home)
    if (url !== undefined || Date.now() > deadline || !(await isHeld(join(home, 'postgres.lock')))) return url
  }
}

async function readRunning(home: string): Promise<string | undefined> {
  try {
    const { url, pid } = JSON.parse(await readFile(join(home, 'postgres.json'), 'utf8'))
    return isPostgresOf(join(home, 'postgres'), pid) && (await accepts(Number(new URL(url).port))) ? url : undefined
  } catch {
    return undefined
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Ours alone; under root also passable, not readable, for the system user that Postgres then runs as. */
async function prepareDirectory(directory: string): Promise<string> {
  const created = await mkdir(resolve(directory), { recursive: true })
  if (created !== undefined) await chmod(directory, process.getuid?.() === 0 ? 0o711 : 0o700)
  return realpath(directory)
}

function spawnSupervisor(directory: string): ChildProcess {
  return spawn(process.execPath, [SUPERVISOR, directory, String(process.pid)], {
    cwd: directory,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
  })
}

/** Resolves when the supervisor is gone and all it had to say has been heard, with what can be told of its end. */
async function describeEnd(supervisor: ChildProcess): Promise<string> {
  const stderr = supervisor.stderr as Readable
  let complaint = ''
  stderr.on('data', (chunk) => {
    complaint = (complaint + chunk).slice(-4096)
  })
  try {
    // Not its `close`: Node never emits that once we have disconnected.
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

/** Whether we stay alive for the supervisor: only while we wait for it, or a finished process would never end. */
function keepAlive(supervisor: ChildProcess, yes: boolean): void {
  for (const handle of [supervisor, supervisor.channel, supervisor.stderr as Socket | null]) {
    if (yes) handle?.ref()
    else handle?.unref()
  }
}
