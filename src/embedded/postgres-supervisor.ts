/**
 * The process between Stowage and its embedded Postgres. It lives in a process group of its own, so a Ctrl-C in the
 * terminal does not reach the database while transfers still finish; and it stops the database when the channel to
 * Stowage closes, which the system does for every kind of death.
 *
 * Arguments: the data directory, the pid of Stowage.
 */
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cluster, startCluster } from './postgres-cluster.ts'
import { takeLock } from './postgres-lock.ts'
import { openPostgresLog } from './postgres-log.ts'
import { stopOrphan } from './postgres-orphan.ts'
import { identifyProcess } from './postgres-process.ts'
import { findPrograms } from './postgres-programs.ts'
import { postgresUser } from './postgres-user.ts'

/** What the supervisor tells Stowage: progress, then the URL, or the reason why it ends. */
export type SupervisorMessage = { log: string } | { ready: string } | { failed: string }

const directory = process.argv[2] as string
const ownerPid = Number(process.argv[3])

const abandoned = new Promise<void>((resolve) => {
  process.once('disconnect', resolve)
  if (!process.connected) resolve()
})

// Only the channel decides, because Stowage may be draining.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

process.on('uncaughtException', fail)
await supervise().catch(fail)
process.exit(0)

async function supervise(): Promise<void> {
  const owner = identifyProcess(ownerPid)
  const supervisor = identifyProcess(process.pid)
  if (!owner || !supervisor) return
  const release = await takeLock(join(directory, 'postgres.lock'), { owner, supervisor }, log)
  try {
    await stopOrphan(join(directory, 'postgres'), log)
    await run()
  } finally {
    await release()
  }
}

async function run(): Promise<void> {
  const user = postgresUser()
  const programs = await findPrograms({ user, log })
  const postgresLog = openPostgresLog(join(directory, 'postgres.log'))
  const cluster = await startCluster({ directory, programs, user, postgresLog, log })
  const connection = join(directory, 'postgres.json')
  try {
    await publish(connection, cluster)
    await tell({ ready: cluster.url })
    const diedAlone = cluster.exited.then(() => true)
    if (await Promise.race([abandoned.then(() => false), diedAlone])) {
      throw new Error(`Postgres ended unexpectedly. The end of ${postgresLog.file}:\n${postgresLog.tail()}`)
    }
  } finally {
    await rm(connection, { force: true })
    await cluster.stop()
  }
}

/** Lets the command line of a second terminal find the running database. */
async function publish(file: string, { url, pid }: Cluster): Promise<void> {
  const draft = `${file}.draft`
  await writeFile(draft, JSON.stringify({ url, pid }), { mode: 0o600 })
  await rename(draft, file)
}

function log(message: string): void {
  void tell({ log: message })
}

async function fail(error: unknown): Promise<void> {
  await tell({ failed: error instanceof Error ? error.message : String(error) })
  process.exit(1)
}

/** Resolves when the message is on its way, or when there is nobody left to hear it. */
function tell(message: SupervisorMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve())
    else resolve()
  })
}
