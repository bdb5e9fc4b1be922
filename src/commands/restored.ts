import type { Config } from '#config/config.ts'
import { StowageError } from '#domain/errors.ts'
import { createLogger } from '#http/logging.ts'
import type { Database } from '#persistence/connection/client.ts'
import { declareRestored, readHold, revokeCredentials } from '#persistence/server-identity.ts'
import { endHold } from '#recovery/release-hold.ts'
import { openStore } from './open-resources.ts'
import { onStopSignal } from './shutdown.ts'
import type { Options } from './usage.ts'
import { withDatabase } from './with-database.ts'

const nextSteps = `Nothing is failed or removed now; uploads and downloads go on. Next:
  1. stowage scrub       tells what of the store and the database does not fit, and ends this state when it is through;
  2. stowage restored --release   ends it without a scrub.`

const revocation = `Sessions and tokens that were revoked after the backup work again. To end all of them:
  stowage restored --revoke-credentials`

/**
 * `stowage restored`: prepares the database after an older copy has replaced a newer one. The command skips the ids that may have
 * been issued and begins a hold. With `--release` it ends the hold instead; with `--revoke-credentials` it also revokes every
 * session and token. Prints its actions on standard output.
 */
export async function restored(env: NodeJS.ProcessEnv, options: Options): Promise<void> {
  await withDatabase(env, async (db, config) => {
    if (options.release) await release(db, config)
    else await hold(db)
    if (options['revoke-credentials']) {
      const { tokens, sessions } = await revokeCredentials(db)
      console.log(`Revoked: ${tokens} tokens, ${sessions} sessions. New ones: stowage token create`)
    } else if (!options.release) console.log(revocation)
  })
}

async function hold(db: Database): Promise<void> {
  const skipped = await declareRestored(db)
  console.log(`Skipped ${skipped} ids of each kind, so that none is given to another file. ${nextSteps}`)
}

async function release(db: Database, config: Config): Promise<void> {
  const heldSince = await readHold(db)
  if (heldSince === undefined) return console.log('Nothing was held.')
  const stopping = new AbortController()
  onStopSignal().then(() =>
    stopping.abort(new StowageError('database_unavailable', 'It was asked to stop: the hold goes on.')),
  )
  await using cleanup = new AsyncDisposableStack()
  const store = cleanup.adopt(await openStore(config), (store) => store.close())
  const { isReleased, kept } = await endHold(
    { db, store, log: createLogger(config.logLevel), config },
    heldSince,
    stopping.signal,
  )
  if (kept > 0) console.log(`Kept: ${kept} files that were under way in the database and whole in the store.`)
  console.log(isReleased ? 'Released: recovery and removal go on.' : 'Not released: another hold has begun meanwhile.')
}
