import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identifyProcess } from '#dev/embedded-postgres/process.ts'

const prefix = 'stowage-bench-'

/** A folder for the state and logs of one run, gone when it is disposed of; so are those of runs that were killed. */
export async function makeWorkplace(): Promise<AsyncDisposable & { directory: string }> {
  await removeLeftovers()
  const directory = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`))
  // Under root, Postgres runs as another user, who has to get in.
  await chmod(directory, 0o711)
  return {
    directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true, maxRetries: 10 }),
  }
}

/** A folder that outlives the run. */
export function makeFolderToKeep(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'stowage-profiles-'))
}

async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const isOver = name.startsWith(prefix) && !identifyProcess(Number.parseInt(name.slice(prefix.length), 10))
    if (isOver) await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {})
  }
}
