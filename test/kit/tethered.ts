import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A command that no Ctrl-C in the terminal reaches, and that ends, with all it started, when this process does. */
export interface Tethered {
  process: ChildProcess
  /** Resolves with the exit code; that of a command ended by a signal is 1. */
  exited: Promise<number>
  /** Ends it with SIGTERM, and later SIGKILL, and resolves when it has ended. */
  stop(): Promise<void>
}

const tetherProgram = fileURLToPath(new URL('tether.ts', import.meta.url))

export function spawnTethered(
  command: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; stdout: 'inherit' | 'pipe' | number; stderr: 'inherit' | number },
): Tethered {
  const stdio: StdioOptions = ['ignore', options.stdout, options.stderr, 'ipc']
  const tether = spawn(process.execPath, [tetherProgram, command, ...args], { detached: true, env: options.env, stdio })
  const exited = once(tether, 'exit').then(([code]) => (code as number | null) ?? 1)
  return {
    process: tether,
    exited,
    async stop() {
      if (tether.connected) tether.disconnect()
      await exited
    },
  }
}
