/**
 * The process between Stowage and its embedded Postgres. It has a process group of its own, so a Ctrl-C in the terminal
 * does not reach the database while transfers still finish. It stops the database when the channel to Stowage closes: the
 * system closes the channel however Stowage ends.
 *
 * Arguments: the data directory, the pid of Stowage.
 */
import { join } from 'node:path'
import { startCluster } from './cluster.ts'
import { takeLock } from './lock.ts'
import { identifyProcess } from './process.ts'
import { findPrograms, openPostgresLog } from './programs.ts'
import { publishRunning, stopOrphan } from './running-postgres.ts'
import { postgresUser } from './system-user.ts'

/** A message to Stowage: progress, then the URL, or the reason why the supervisor ends. */
export type SupervisorMessage = { log: string } | { ready: string } | { failed: string }

const directory = process.argv[2] as string
const ownerPid = Number(process.argv[3])

const abandoned = new Promise<void>((resolve) => {
  process.once('disconnect', resolve)
  if (!process.connected) resolve()
})

// Only the channel ends the supervisor: Stowage may still be draining.
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
  await using cleanup = new AsyncDisposableStack()
  const cluster = await startCluster({ directory, programs, user, postgresLog, log })
  cleanup.defer(() => cluster.stop())
  cleanup.defer(await publishRunning(directory, cluster))
  await tell({ ready: cluster.url })
  const diedAlone = cluster.exited.then(() => true)
  if (await Promise.race([abandoned.then(() => false), diedAlone]))
    throw new Error(`Postgres ended unexpectedly. The end of ${postgresLog.file}:\n${postgresLog.tail()}`)
}

function log(message: string): void {
  void tell({ log: message })
}

async function fail(error: unknown): Promise<void> {
  await tell({ failed: error instanceof Error ? error.message : String(error) })
  process.exit(1)
}

/** Resolves when the message is sent, or when Stowage has gone. */
function tell(message: SupervisorMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve())
    else resolve()
  })
}
