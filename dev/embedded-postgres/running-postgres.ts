import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { isHeld } from './lock.ts'
import { commandLine, identifyProcess, waitForEnd } from './process.ts'
import { inheritedName } from './system-user.ts'

/** Time that the database of another process may take to start or to stop, in milliseconds. */
const changeLimit = 10_000

/** Time that a fast shutdown may take, in milliseconds: it writes a checkpoint. */
const shutdownLimit = 15_000

const connectionFile = 'postgres.json'

/**
 * Writes down how to connect to the Postgres of `directory`, for {@link findRunning} in other processes.
 * @returns removes it
 */
export async function publishRunning(directory: string, { url, pid }: Cluster): Promise<() => Promise<void>> {
  const file = join(directory, connectionFile)
  const draft = `${file}.draft`
  await writeFile(draft, JSON.stringify({ url, pid }), { mode: 0o600 })
  await rename(draft, file)
  return () => rm(file, { force: true })
}

/** The URL of the database that runs in `directory`. Waits for one that is just starting or stopping. */
export async function findRunning(directory: string): Promise<string | undefined> {
  const home = await realpath(directory).catch(() => undefined)
  if (home === undefined) return undefined
  for (const deadline = Date.now() + changeLimit; ; await delay(50)) {
    const url = await readRunning(home)
    if (url !== undefined || Date.now() > deadline || !(await isHeld(join(home, 'postgres.lock')))) return url
  }
}

async function readRunning(home: string): Promise<string | undefined> {
  try {
    const { url, pid } = JSON.parse(await readFile(join(home, connectionFile), 'utf8'))
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

/**
 * Stops the Postgres that runs on `cluster` without a supervisor. The caller holds the lock of the directory.
 * @throws Error that says what to do when it does not stop
 */
export async function stopOrphan(cluster: string, log: (message: string) => void): Promise<void> {
  const pid = await readPostmasterPid(cluster)
  const orphan = pid === undefined ? undefined : identifyProcess(pid)
  if (orphan === undefined) return
  if (!isPostgresOf(cluster, orphan.pid)) {
    // Postgres clears a file whose pid is free, but refuses to start when the pid belongs to another process.
    await rm(join(cluster, 'postmaster.pid'), { force: true })
    return
  }
  log(`stopping the Postgres that a killed process left running (process ${orphan.pid})`)
  const isStopped = interrupt(orphan.pid) && (await waitForEnd(orphan, shutdownLimit))
  if (!isStopped) {
    throw new Error(
      `Postgres (process ${orphan.pid}) still runs on ${cluster} and does not stop. ` +
        'Stop it by hand, or set DATA_DIR to another folder.',
    )
  }
}

/** The pid in the cluster's `postmaster.pid`. Its process may have ended. */
async function readPostmasterPid(cluster: string): Promise<number | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  return Number.parseInt(text, 10) || undefined
}

/** Whether `pid` is the Postgres of this cluster, and not another process that got its number. */
function isPostgresOf(cluster: string, pid: number): boolean {
  const line = commandLine(pid)
  return line.includes(` -D ${cluster} `) || (line.includes(` -D ${inheritedName(0)} `) && folderOf(pid) === cluster)
}

/** The working directory of a process. That of Postgres is its cluster, also when it got an inherited name of it. */
function folderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/** SIGINT is the fast shutdown of Postgres. False when this process may not signal that one. */
function interrupt(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGINT')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
