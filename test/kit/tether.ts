/**
 * Runs the command in its arguments for as long as the process that started this lives, and ends as the command does.
 * Meant to be the leader of a process group: whatever the command starts ends with it. The channel to the parent
 * closes however the parent dies, so nothing outlives a crashed or killed test run.
 */
import { spawn } from 'node:child_process'

/** How long the command gets to end in order, in milliseconds. */
const grace = 10_000

const [command, ...args] = process.argv.slice(2)
const child = spawn(command as string, args, { stdio: ['ignore', 'inherit', 'inherit'] })
child.once('exit', (code) => process.exit(code ?? 1))
child.once('error', (error) => {
  console.error(error.message)
  process.exit(1)
})

process.on('SIGTERM', () => {})
process.once('disconnect', stop)
if (!process.connected) stop()

function stop(): void {
  signalGroup('SIGTERM')
  setTimeout(signalGroup, grace, 'SIGKILL')
}

function signalGroup(signal: NodeJS.Signals): void {
  process.kill(-process.pid, signal)
}
