import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** For the `skip` option of tests that measure memory: only Linux tells what a process has held at most. */
export const skipWithoutPeaks: string | false = !existsSync('/proc/self/status') && 'needs /proc'

/** Most resident memory that a process has ever held, in bytes. */
export async function peakOf({ pid }: { pid: number }): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  if (kibibytes === undefined) throw new Error(`No peak in /proc/${pid}/status:\n${status}`)
  return Number(kibibytes) * 1024
}
