import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type OwnProcess, type ProcessOptions, startProcess } from './own-process.ts'

/** What a process has used since it began. */
export interface Usage {
  /** User and system time of all its threads. */
  cpuSeconds: number
  /** Most resident memory it has held. */
  peakBytes: number
}

/** A server that is measured: a process that listens and tells what it uses. */
export interface ServerProcess extends AsyncDisposable {
  url: string
  usage(): Promise<Usage>
}

const preload = fileURLToPath(new URL('report-usage.ts', import.meta.url))

/** How long a server may take until it listens, in milliseconds. */
const startLimit = 30_000

/** How long it may take to tell what it uses, in milliseconds. */
const usageLimit = 10_000

/** Starts a server that prints "Server listening at" and its address, as Fastify does. */
export async function startServer({
  flags,
  script,
  ...options
}: Omit<ProcessOptions, 'args'> & { flags: string[]; script: string[] }): Promise<ServerProcess> {
  const server = await startProcess({ ...options, args: [...flags, `--import=${preload}`, ...script] })
  try {
    const url = await Promise.race([addressOf(server, options.signal), server.ended])
    return { url, usage: () => usageOf(server), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
}

async function usageOf(server: OwnProcess): Promise<Usage> {
  const late = delay(usageLimit, undefined, { ref: false }).then(() => {
    throw new Error(`A server did not tell what it uses within ${usageLimit / 1000} s`)
  })
  return Promise.race([server.ask<Usage>({}), late])
}

async function addressOf(server: OwnProcess, signal: AbortSignal): Promise<string> {
  for (const deadline = Date.now() + startLimit; Date.now() < deadline; await delay(20, undefined, { signal })) {
    const url = /Server listening at (http:\/\/[\d.:]+)/.exec(await server.printed())?.[1]
    if (url !== undefined) return url
  }
  throw new Error(`A server did not listen within ${startLimit / 1000} s. It printed:\n${await server.printed()}`)
}
