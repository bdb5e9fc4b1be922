import { open, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { spawnTethered } from '../tethered.ts'

/** How a server is started for the tests. */
export interface ServerCommand {
  command: string
  args: string[]
  env?: NodeJS.ProcessEnv
  /** Answers 200 when the server is ready. */
  healthUrl: string
  /** Gets what the server prints. */
  logFile: string
}

/** How long a server may take until it is ready, in milliseconds: Docker may have to fetch an image first. */
const startLimit = 120_000

/**
 * Starts a server that ends with this process at the latest. Resolves, with what stops it, when it is ready. Rejects
 * with what it printed when it never is.
 */
export async function startServer(server: ServerCommand): Promise<() => Promise<void>> {
  const log = await open(server.logFile, 'w')
  const { exited, stop } = spawnTethered(server.command, server.args, {
    env: { ...process.env, ...server.env },
    stdout: log.fd,
    stderr: log.fd,
  })
  await log.close()
  let isRunning = true
  exited.then(() => {
    isRunning = false
  })
  for (const deadline = Date.now() + startLimit; !(await isHealthy(server.healthUrl)); await delay(50)) {
    if (isRunning && Date.now() < deadline) continue
    await stop()
    throw new Error(`${server.command} did not become ready. It printed:\n${await readFile(server.logFile, 'utf8')}`)
  }
  return stop
}

async function isHealthy(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
  await response?.body?.cancel()
  return response?.ok ?? false
}
