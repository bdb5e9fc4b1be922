import type { Config } from '#config/config.ts'
import { byteSize } from '#config/settings.ts'
import { StowageError } from '#domain/errors.ts'
import { createLogger } from '#http/logging.ts'
import type { Database } from '#persistence/connection/client.ts'
import { scrub } from '#scrub/scrub.ts'
import type { ScrubOptions } from '#scrub/scrub-context.ts'
import { exitCodeOf, summaryOf } from '#scrub/summary.ts'
import { openStore } from './open-resources.ts'
import { onStopSignal } from './shutdown.ts'
import { type Options, UsageError, wholeOption } from './usage.ts'
import { withDatabase } from './with-database.ts'

const defaultRate = '50MiB'

/** Bytes per second. At a lower rate, a store closes the connection of its slow reader. */
const minRate = 64 * 1024

const maxHours = 10 * 365 * 24

/**
 * `stowage scrub`: reads the stored objects and compares them with the database. Each finding is a log line on standard output; the
 * summary is on standard error. Exits 0, 1 or 2 (see `exitCodeOf`). SIGTERM and Ctrl-C end the scrub early.
 */
export async function scrubCommand(env: NodeJS.ProcessEnv, options: Options): Promise<void> {
  const scrubOptions = scrubOptionsFrom(options)
  const stopping = new AbortController()
  onStopSignal().then(() =>
    stopping.abort(new StowageError('database_unavailable', 'It was asked to stop before it began.')),
  )
  const run = async (db: Database, config: Config) => {
    await using cleanup = new AsyncDisposableStack()
    const store = cleanup.adopt(await openStore(config), (store) => store.close())
    const log = createLogger(config.logLevel)
    log.info({ store: store.description }, 'scrubbing')
    const result = await scrub({ db, store, log, config }, scrubOptions, stopping.signal)
    if (typeof result.interruptedBy === 'object') log.fatal({ err: result.interruptedBy.error }, 'broken off')
    log.info({ ...result.findings.counts, bytes: result.findings.bytes, seconds: result.seconds }, 'ended')
    console.error(summaryOf(result))
    process.exitCode = exitCodeOf(result)
  }
  await withDatabase(env, run, stopping.signal)
}

function scrubOptionsFrom(options: Options): ScrubOptions {
  const isOlderThan = options['older-than'] !== undefined
  return {
    rate: rateFrom(options.rate ?? defaultRate),
    olderThanHours: isOlderThan ? wholeOption('older-than', options, maxHours) : undefined,
  }
}

/** Bytes per second; `Infinity` for no limit. @throws UsageError */
function rateFrom(text: string): number {
  if (text === '0' || text === 'unlimited') return Number.POSITIVE_INFINITY
  try {
    const rate = byteSize(text)
    if (rate >= minRate) return rate
  } catch {}
  throw new UsageError('--rate needs bytes a second, at least 64KiB, such as 20MiB; or unlimited.')
}
