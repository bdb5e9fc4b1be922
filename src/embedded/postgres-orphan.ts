import { readlinkSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { inheritedName } from './postgres-paths.ts'
import { commandLine, identifyProcess, waitForEnd } from './postgres-process.ts'

/** How long a fast shutdown may take, in milliseconds: it writes a checkpoint. */
const SHUTDOWN_LIMIT = 15_000

/** The pid in the cluster's `postmaster.pid`, whether or not that process still runs. */
export async function readPostmasterPid(cluster: string): Promise<number | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  return Number.parseInt(text, 10) || undefined
}

/** Whether `pid` is the Postgres of exactly this cluster, and not another process that got its number. */
export function isPostgresOf(cluster: string, pid: number): boolean {
  const line = commandLine(pid)
  return line.includes(` -D ${cluster} `) || (line.includes(` -D ${inheritedName(0)} `) && folderOf(pid) === cluster)
}

/** Where a process works: Postgres in its cluster, by whatever name it was told of it. */
function folderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/**
 * Stops the Postgres that runs on `cluster` though its supervisor is gone. To be called under the directory's lock.
 * Rejects when it does not stop.
 */
export async function stopOrphan(cluster: string, log: (message: string) => void): Promise<void> {
  const pid = await readPostmasterPid(cluster)
  const orphan = pid === undefined ? undefined : identifyProcess(pid)
  if (orphan === undefined) return
  if (!isPostgresOf(cluster, orphan.pid)) {
    // Postgres clears a file whose pid is free, but refuses to start when the pid now belongs to somebody else.
    await rm(join(cluster, 'postmaster.pid'), { force: true })
    return
  }
  log(`stopping the Postgres that a killed process left running (process ${orphan.pid})`)
  const stopped = interrupt(orphan.pid) && (await waitForEnd(orphan, SHUTDOWN_LIMIT))
  if (!stopped) {
    throw new Error(
      `Postgres (process ${orphan.pid}) still runs on ${cluster} and does not stop. ` +
        'Stop it by hand, or set DATA_DIR to another folder.',
    )
  }
}

/** SIGINT is Postgres's fast shutdown. False when the process is not ours to signal. */
function interrupt(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGINT')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
