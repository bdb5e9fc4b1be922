import type { Deps } from '../deps.ts'
import { purge } from './purge.ts'
import { recover } from './recover.ts'
import { repeat } from './repeat.ts'
import { retain } from './retain.ts'

export interface Workers {
  purgeSoon(): void
  /** Resolves when every worker has ended what it was doing. */
  stop(): Promise<void>
}

/** Starts what runs beside the requests, in every replica: recovery, purge and retention. */
export function startWorkers(deps: Deps): Workers {
  const lease = deps.config.uploadLeaseSeconds * 1000
  const { log } = deps
  const purging = repeat({ name: 'purge', every: Math.min(5000, lease / 4), log, job: (signal) => purge(deps, signal) })
  const recovering = repeat({ name: 'recovery', every: Math.min(5000, lease / 4), log, job: () => recover(deps) })
  const retaining = repeat({ name: 'retention', every: 10 * 60_000, log, job: () => retain(deps) })
  return {
    purgeSoon: () => purging.wake(),
    async stop() {
      await Promise.all([purging.stop(), recovering.stop(), retaining.stop()])
    },
  }
}
