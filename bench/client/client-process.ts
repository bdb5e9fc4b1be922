import { fileURLToPath } from 'node:url'
import { type ProcessOptions, startProcess } from '../processes/own-process.ts'
import type { Load, Outcome } from './load.ts'

/** The process that sends the requests. */
export interface Client extends AsyncDisposable {
  run(load: Load): Promise<Outcome>
}

const program = fileURLToPath(new URL('client.ts', import.meta.url))

export async function startClient(options: Omit<ProcessOptions, 'args'>): Promise<Client> {
  const client = await startProcess({ ...options, args: [program] })
  return {
    run: (load) => client.ask<Outcome>(load),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}
