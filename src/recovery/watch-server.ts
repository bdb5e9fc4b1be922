import { type PollLoop, startPolling } from '#async/poll-loop.ts'
import type { Config } from '#config/config.ts'
import type { Logger } from '#domain/logger.ts'
import type { Database } from '#persistence/connection/client.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import { checkServerIdentity, type IdentityCheck } from '#persistence/server-identity.ts'
import { holdAdvice } from './release-hold.ts'

/** Milliseconds between two checks. A new server issues no ids before it is checked, so clients wait for the check. */
const every = 2000

export interface Watched {
  config: Config
  db: Database
  log: Logger
}

/** Checks the identity of the database's server, in every process. The first process that finds another server logs an error. */
export function watchServer({ config, db, log }: Watched): PollLoop {
  let last: IdentityCheck | undefined
  const job = async () => {
    const check = await checkServerIdentity(db, config.afterFailover).catch(ignoreUnavailable)
    if (check === undefined) return false
    logChanges(log, check, last)
    last = check
    return false
  }
  return startPolling({ name: 'server', every, log, job })
}

/** Ignores an unavailable database, which is logged elsewhere. */
function ignoreUnavailable(error: unknown): undefined {
  if (!isDatabaseUnavailable(error)) throw error
}

function logChanges(log: Logger, { server, before, heldSince }: IdentityCheck, last: IdentityCheck | undefined): void {
  if (server.timeline === 0 && last?.server.timeline !== 0)
    log.warn('the database may not say which server it is on: after a failover or a restore run `stowage restored`')
  if (before)
    log.error(
      { server, before, heldSince },
      'the database is a promoted or restored copy: ids that may have been given out are skipped, and files that were acknowledged last may be missing',
    )
  if (heldSince && !last?.heldSince) log.error({ heldSince }, holdAdvice)
  if (!heldSince && last?.heldSince) log.info('the hold is over')
}
