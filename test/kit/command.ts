import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { settings } from '#config/settings.ts'

/** How a command ended. */
export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export const repository = fileURLToPath(new URL('../..', import.meta.url))
export const program = join(repository, 'src', 'main.ts')

/** For what runs in the repository itself: no settings, whatever a developer has in `.env` there. */
export const noSettings = Object.fromEntries(Object.values(settings).map(({ name }) => [name, '']))

/** The Node options that shorten the start of a process. */
export const quickStart = `--import=${new URL('quick-start.ts', import.meta.url)}`

/** The environment of a program without settings: none of a developer's own. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE, NODE_OPTIONS: quickStart }
}

/** No command takes this long, in milliseconds. */
const limit = 60_000

/** An empty folder, gone when the test ends, that the system user of Postgres can enter. */
export async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-test-'))
  await chmod(folder, 0o711)
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }))
  return folder
}

/** Runs `stowage` with these words to its end, in an empty folder, with nothing in the environment but `env`. */
export async function stowage(t: Test, words: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return runCommand([process.execPath, program, ...words], { cwd: await makeFolder(t), env })
}

export async function runCommand(
  [command = '', ...args]: string[],
  { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<Ended> {
  const child = spawn(command, args, {
    cwd,
    env: { ...inheritedEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(limit),
    killSignal: 'SIGKILL',
  })
  const [[code], stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}
