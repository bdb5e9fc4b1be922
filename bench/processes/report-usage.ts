/**
 * Preloaded into every server that is measured: answers each message with what the process has used so far, and ends
 * the process when the bench has ended.
 */
import { readFileSync } from 'node:fs'
import type { Usage } from './server-process.ts'

process.on('message', () => process.send?.(usage()))
process.once('disconnect', () => process.exit())
// Only the server itself decides how long it lives.
process.channel?.unref()

function usage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6, peakBytes: peakBytes() }
}

/** On Linux `maxRSS` also counts what the bench itself held while it started us; the process's own mark does not. */
function peakBytes(): number {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
