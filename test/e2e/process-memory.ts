import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** For the `skip` option of tests that measure memory: only Linux tells what a process has held at most. */
export const skipWithoutPeaks: string | false = !existsSync('/proc/self/status') && 'needs /proc'

/** Most resident memory that a process has ever held, in bytes. */
export function peakOf(process: { pid: number }): Promise<number> {
  return memoryOf(process, 'VmHWM')
}

/** Resident memory that a process holds now, in bytes. */
export function residentOf(process: { pid: number }): Promise<number> {
  return memoryOf(process, 'VmRSS')
}

async function memoryOf({ pid }: { pid: number }, line: 'VmHWM' | 'VmRSS'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
  if (kibibytes === undefined) throw new Error(`No ${line} in /proc/${pid}/status:\n${status}`)
  return Number(kibibytes) * 1024
}
