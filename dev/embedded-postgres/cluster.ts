import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { findFreePort } from '#dev/free-port.ts'
import { type PostgresLog, type Programs, runProgram } from './programs.ts'
import { passPaths, type SystemUser } from './system-user.ts'

export interface ClusterOptions {
  /** The data directory; the cluster is the folder `postgres` in it. */
  directory: string
  programs: Programs
  /** The user that Postgres runs as; `undefined` for the user of this process. */
  user: SystemUser | undefined
  postgresLog: PostgresLog
  log: (message: string) => void
}

/** A Postgres that runs as a child of this process and accepts connections. */
export interface Cluster {
  /** The URL of the database `stowage`, with the password. */
  url: string
  pid: number
  /** Resolves when Postgres has ended, whatever the cause. */
  exited: Promise<void>
  /** Fast shutdown: connections are cut, nothing committed is lost. Resolves when Postgres has ended. */
  stop(): Promise<void>
}

type RunningChild = ChildProcess & { pid: number }

const databaseName = 'stowage'
const draftPrefix = 'postgres-initialising-'
const portAttempts = 5

/**
 * Creates the cluster on the first start, then runs it. The caller holds the lock of the directory.
 * @throws Error with the end of Postgres's log when it does not start, and when the password file is missing
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const password = await readOrCreatePassword(options.directory)
  await removeInterruptedDrafts(options.directory)
  if (!isInitialised(options.directory)) await initialise(options, password)
  const { child, port } = await startOnFreePort(options)
  const hasExited = child.exitCode !== null || child.signalCode !== null
  const exited = hasExited ? Promise.resolve() : once(child, 'exit').then(() => {})
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/${databaseName}`
  const stop = () => {
    child.kill('SIGINT')
    return exited
  }
  await ensureDatabase(url).catch(async (error) => {
    await stop()
    throw error
  })
  return { url, pid: child.pid, exited, stop }
}

function isInitialised(directory: string): boolean {
  return existsSync(join(directory, 'postgres', 'PG_VERSION'))
}

/** The password that the cluster was created with: its file is needed as long as the cluster exists. */
async function readOrCreatePassword(directory: string): Promise<string> {
  const file = join(directory, 'postgres.password')
  const known = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (known !== '') return known
  if (isInitialised(directory))
    throw new Error(`${file} is missing, and the database in ${directory} cannot be opened without it. Restore it.`)
  const password = randomBytes(24).toString('base64url')
  await writeFile(file, `${password}\n`, { mode: 0o600 })
  return password
}

async function removeInterruptedDrafts(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    // An initdb whose parent was killed can still be writing.
    if (name.startsWith(draftPrefix)) await rm(join(directory, name), { recursive: true, force: true, maxRetries: 20 })
  }
}

/** The cluster appears under its name in one step, complete, so a first start can be killed at any moment. */
async function initialise(options: ClusterOptions, password: string): Promise<void> {
  options.log(`creating a database in ${options.directory}`)
  const workplace = await mkdtemp(join(options.directory, draftPrefix))
  const [draft, passwordFile] = [join(workplace, 'cluster'), join(workplace, 'password')]
  await mkdir(draft, { mode: 0o700 })
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  const { user } = options
  if (user) for (const path of [workplace, draft, passwordFile]) await chown(path, user.uid, user.gid)
  await runInitdb(options, draft, passwordFile)
  await rename(draft, join(options.directory, 'postgres'))
  await rm(workplace, { recursive: true, force: true })
}

async function runInitdb({ programs, user, postgresLog }: ClusterOptions, draft: string, passwordFile: string) {
  await using passed = await passPaths(user, [draft, passwordFile])
  const [cluster, file] = passed.names
  const locale = ['--encoding=UTF8', '--locale=C', '--lc-messages=C']
  const login = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${file}`]
  const args = [`--pgdata=${cluster}`, ...login, ...locale, '--data-checksums']
  const child = runProgram(programs.initdb, args, { user, passed, log: postgresLog })
  const [code] = await once(child, 'close').catch((error) => [error.message])
  if (code !== 0) throw new Error(`Postgres could not create its files (${code}). ${endOf(postgresLog)}`)
}

async function startOnFreePort(options: ClusterOptions): Promise<{ child: RunningChild; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort()
    const child = await startOn(port, options)
    if (child) return { child, port }
    const isPortTaken = options.postgresLog.tail().includes('Address already in use')
    if (!isPortTaken || attempt === portAttempts)
      throw new Error(`Postgres did not start. ${endOf(options.postgresLog)}`)
  }
}

/** @returns Postgres when it accepts connections, `undefined` when it has ended instead */
async function startOn(
  port: number,
  { directory, programs, user, postgresLog }: ClusterOptions,
): Promise<RunningChild | undefined> {
  await using passed = await passPaths(user, [join(directory, 'postgres')])
  // No socket file: /tmp and /var/run may be read-only, and the path of one in the data directory may be too long.
  const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=']
  const args = ['-D', ...passed.names, '-p', String(port), ...settings]
  const child = runProgram(programs.postgres, args, { user, passed, log: postgresLog })
  const ended = once(child, 'close').then(
    () => false,
    () => false,
  )
  const { promise: ready, resolve } = Promise.withResolvers<boolean>()
  child.stderr?.on('data', (text) => {
    if (String(text).includes('database system is ready to accept connections')) resolve(true)
  })
  return (await Promise.race([ready, ended])) ? (child as RunningChild) : undefined
}

function endOf(log: PostgresLog): string {
  return `The end of ${log.file}:\n${log.tail()}`
}

async function ensureDatabase(url: string): Promise<void> {
  const sql = postgres(url, { database: 'postgres', max: 1 })
  try {
    const found = await sql`select 1 from pg_database where datname = ${databaseName}`
    if (found.length === 0) await sql`create database ${sql(databaseName)}`
  } finally {
    await sql.end()
  }
}
