import { type ChildProcess, type SpawnOptions, type StdioOptions, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import type { PostgresLog } from './postgres-log.ts'
import { type ToldPaths, tellPaths } from './postgres-paths.ts'
import { findFreePort } from './postgres-port.ts'
import type { Programs } from './postgres-programs.ts'
import type { SystemUser } from './postgres-user.ts'

export interface ClusterOptions {
  /** Where state lies: the cluster itself is the folder `postgres` in it. */
  directory: string
  programs: Programs
  /** Who Postgres runs as, when that is not whoever runs this process. */
  user: SystemUser | undefined
  postgresLog: PostgresLog
  log: (message: string) => void
}

/** A Postgres that runs as a child of this process and accepts connections. */
export interface Cluster {
  /** Of the database `stowage`, password included. */
  url: string
  pid: number
  /** Resolves when Postgres has ended, whoever ended it. */
  exited: Promise<void>
  /** Fast shutdown: connections are cut, nothing committed is lost. */
  stop(): Promise<void>
}

type RunningChild = ChildProcess & { pid: number }

const DATABASE = 'stowage'
const INITIALISING = 'postgres-initialising-'
const PORT_ATTEMPTS = 5

/** Creates the cluster on the first start, then runs it. To be called under the directory's lock. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const password = await readOrCreatePassword(options.directory)
  await removeInterruptedInitialisations(options.directory)
  if (!existsSync(join(options.directory, 'postgres', 'PG_VERSION'))) await initialise(options, password)
  const { child, port } = await startOnFreePort(options)
  const hasExited = child.exitCode !== null || child.signalCode !== null
  const exited = hasExited ? Promise.resolve() : once(child, 'exit').then(() => {})
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/${DATABASE}`
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

/** A cluster appears under its name in one step, complete, so that a first start can be killed at any moment. */
async function initialise(options: ClusterOptions, password: string): Promise<void> {
  options.log(`creating a database in ${options.directory}`)
  const workplace = await mkdtemp(join(options.directory, INITIALISING))
  const [draft, passwordFile] = [join(workplace, 'cluster'), join(workplace, 'password')]
  await mkdir(draft, { mode: 0o700 })
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  for (const path of [workplace, draft, passwordFile]) await giveTo(options.user, path)
  await runInitdb(options, draft, passwordFile)
  await rename(draft, join(options.directory, 'postgres'))
  await rm(workplace, { recursive: true, force: true })
}

async function giveTo(user: SystemUser | undefined, path: string): Promise<void> {
  if (user) await chown(path, user.uid, user.gid)
}

async function runInitdb({ programs, user, postgresLog }: ClusterOptions, draft: string, passwordFile: string) {
  await using told = await tellPaths(user, [draft, passwordFile])
  const [cluster, file] = told.names
  const locale = ['--encoding=UTF8', '--locale=C', '--lc-messages=C']
  const login = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${file}`]
  const args = [`--pgdata=${cluster}`, ...login, ...locale, '--data-checksums']
  const child = spawn(programs.initdb, args, runAs(user, told))
  writeDown(child, postgresLog)
  const [code] = await once(child, 'close').catch((error) => [error.message])
  if (code !== 0) throw new Error(`Postgres could not create its files (${code}). ${explain(postgresLog)}`)
}

/** How its programs run: in a folder that anybody can enter, with messages in English, which we look for. */
function runAs(user: SystemUser | undefined, { descriptors }: ToldPaths): SpawnOptions {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...descriptors]
  return { ...user, cwd: '/', env: { ...process.env, LC_ALL: 'C' }, stdio }
}

function writeDown({ stdout, stderr }: ChildProcess, log: PostgresLog): void {
  for (const output of [stdout, stderr]) output?.setEncoding('utf8').on('data', log.write)
}

async function removeInterruptedInitialisations(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    // An initdb whose parent was killed can still be writing.
    if (name.startsWith(INITIALISING)) await rm(join(directory, name), { recursive: true, force: true, maxRetries: 20 })
  }
}

async function startOnFreePort(options: ClusterOptions): Promise<{ child: RunningChild; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort()
    const child = await startOn(port, options)
    if (child) return { child, port }
    const isPortTaken = options.postgresLog.tail().includes('Address already in use')
    if (!isPortTaken || attempt === PORT_ATTEMPTS)
      throw new Error(`Postgres did not start. ${explain(options.postgresLog)}`)
  }
}

/** @returns Postgres when it takes connections, `undefined` when it has ended instead */
async function startOn(
  port: number,
  { directory, programs, user, postgresLog }: ClusterOptions,
): Promise<RunningChild | undefined> {
  await using told = await tellPaths(user, [join(directory, 'postgres')])
  // No socket file: /tmp and /var/run may not be writable, and its path may be too long in the data directory.
  const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=']
  const args = ['-D', ...told.names, '-p', String(port), ...settings]
  const child = spawn(programs.postgres, args, runAs(user, told))
  const ended = once(child, 'close').then(
    () => false,
    () => false,
  )
  const { promise: ready, resolve } = Promise.withResolvers<boolean>()
  child.stderr?.on('data', (text) => {
    if (String(text).includes('database system is ready to accept connections')) resolve(true)
  })
  writeDown(child, postgresLog)
  return (await Promise.race([ready, ended])) ? (child as RunningChild) : undefined
}

function explain(log: PostgresLog): string {
  return `The end of ${log.file}:\n${log.tail()}`
}

/** The cluster keeps the password it was created with, so the file lives exactly as long as the cluster. */
async function readOrCreatePassword(directory: string): Promise<string> {
  const file = join(directory, 'postgres.password')
  const known = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (known !== '') return known
  if (existsSync(join(directory, 'postgres', 'PG_VERSION'))) {
    throw new Error(`${file} is missing, and the database in ${directory} cannot be opened without it. Restore it.`)
  }
  const password = randomBytes(24).toString('base64url')
  await writeFile(file, `${password}\n`, { mode: 0o600 })
  return password
}

async function ensureDatabase(url: string): Promise<void> {
  const sql = postgres(url, { database: 'postgres', max: 1 })
  try {
    const found = await sql`SELECT 1 FROM pg_database WHERE datname = ${DATABASE}`
    if (found.length === 0) await sql`CREATE DATABASE ${sql(DATABASE)}`
  } finally {
    await sql.end()
  }
}
