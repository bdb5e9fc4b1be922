import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process, distinguished from a later one with the same pid. */
export interface ProcessIdentity {
  pid: number
  /** The time of its start in the notation of this system, for comparing only. */
  started: string
}

/** The process that runs under `pid`, or `undefined`. A zombie does not run. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = existsSync('/proc/self/stat') ? startedByProc(pid) : startedByPs(pid)
  return started === undefined ? undefined : { pid, started }
}

/** Whether this process runs, and not a later one with its pid. */
export function isRunning({ pid, started }: ProcessIdentity): boolean {
  return identifyProcess(pid)?.started === started
}

/** Whether the process ended within `limit` milliseconds. */
export async function waitForEnd(process: ProcessIdentity, limit: number): Promise<boolean> {
  const deadline = Date.now() + limit
  while (isRunning(process)) {
    if (Date.now() > deadline) return false
    await delay(50)
  }
  return true
}

/** The command line of a running process, or `''`. */
export function commandLine(pid: number): string {
  if (!existsSync('/proc/self/cmdline')) return ps(pid, 'command=')
  return (readProc(pid, 'cmdline') ?? '').replaceAll('\0', ' ')
}

/** The field `starttime` (proc_pid_stat(5)). */
function startedByProc(pid: number): string | undefined {
  // The command's name, in parentheses, can contain any character. The state is the first field behind it, the start the 20th.
  const fields = readProc(pid, 'stat')
    ?.replace(/^.*\) /s, '')
    .split(' ')
  return fields?.[0] === 'Z' ? undefined : fields?.[19]
}

function startedByPs(pid: number): string | undefined {
  const line = ps(pid, 'state=,lstart=')
  return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '')
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

function ps(pid: number, format: string): string {
  const { stdout } = spawnSync('ps', ['-ww', '-o', format, '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  })
  return (stdout ?? '').trim()
}
