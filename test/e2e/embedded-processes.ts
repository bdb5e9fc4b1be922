import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { identifyProcess, isRunning, type ProcessIdentity } from '#dev/embedded-postgres/process.ts'

/** The processes beside a server that runs its own Postgres: Postgres, and what watches over it. */
export async function embeddedProcesses(dataDir: string): Promise<ProcessIdentity[]> {
  const lock = JSON.parse(await readFile(join(dataDir, 'postgres.lock'), 'utf8'))
  const { pid } = JSON.parse(await readFile(join(dataDir, 'postgres.json'), 'utf8'))
  const found = [identifyProcess(pid), identifyProcess(lock.supervisor.pid)]
  return found.map((process) => {
    if (process === undefined) throw new Error(`Postgres does not run in ${dataDir}`)
    return process
  })
}

export function noneRuns(processes: ProcessIdentity[]): boolean {
  return !processes.some(isRunning)
}
