/**
 * `npm run test:crash`: runs the crash suite, with the arguments given, in a process group that ends with this process,
 * whatever ends it. See docs/crash-suite.md.
 */
import { fileURLToPath } from 'node:url'
import { spawnTethered } from '../kit/tethered.ts'

const program = fileURLToPath(new URL('run.ts', import.meta.url))
const suite = spawnTethered(process.execPath, [program, ...process.argv.slice(2)], {
  env: process.env,
  stdout: 'inherit',
  stderr: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void suite.stop())
process.exitCode = await suite.exited
// Should the suite itself have been killed, its replicas are left in the group.
try {
  process.kill(-(suite.process.pid as number), 'SIGKILL')
} catch {
  // Nobody is left, as it should be.
}
