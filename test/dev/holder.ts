import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** Another process that holds the database of a directory. */
export interface Holder {
  process: ChildProcess & { pid: number }
  /** Resolves with the next line that it prints. */
  nextLine(): Promise<string>
  /** Lets it stop its database, and resolves when it has ended. */
  release(): Promise<void>
  /** kill -9, and resolves when it is dead. */
  kill(): Promise<void>
}

const program = fileURLToPath(new URL('hold-postgres.ts', import.meta.url))

/** Starts a holder, in a process group of its own, that is killed when the test ends. */
export function startHolder(t: Test, directory: string): Holder {
  const child = spawn(process.execPath, [program, directory], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  t.teardown(kill)
  return {
    process: child as Holder['process'],
    nextLine: async () => String((await lines.next()).value),
    release: async () => {
      child.stdin.end()
      await ended
    },
    kill,
  }
}

/** The process that supervises the database of `directory`. */
export async function readSupervisorPid(directory: string): Promise<number> {
  return JSON.parse(await readFile(join(directory, 'postgres.lock'), 'utf8')).supervisor.pid
}

/** The running Postgres of `directory`. */
export async function readPostgresPid(directory: string): Promise<number> {
  return JSON.parse(await readFile(join(directory, 'postgres.json'), 'utf8')).pid
}
