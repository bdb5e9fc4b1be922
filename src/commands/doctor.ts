import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { type DatabaseClient, openDatabase } from '../db/client.ts'
import { describeServer } from '../db/identity.ts'
import { countPendingMigrations } from '../db/migrate.ts'
import { howToEndHold } from '../lifecycle/end-hold.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { explainProbe, probeMultipart } from '../store/s3/probe.ts'
import { openStore, reachDatabase, s3Options } from './parts.ts'

const answerSeconds = 10
const transferSeconds = 30
const mostSkewSeconds = 5

/** `stowage doctor`: checks settings, database, bucket and clock, and says what to fix. Exits 1 when something is wrong. */
export async function doctor(env: NodeJS.ProcessEnv): Promise<void> {
  const report = new Report()
  const config = await checkSettings(env, report)
  if (config) {
    await checkDatabase(config, report)
    await checkStore(config, report)
  }
  if (!report.healthy) process.exitCode = 1
}

class Report {
  healthy = true

  /**
   * Tells what was found, or what to fix.
   * @param run throws an Error that says what to fix
   * @returns what `run` found, `undefined` when something is wrong
   */
  async check<T>(name: string, run: () => Promise<T>, tell: (found: T) => string = String): Promise<T | undefined> {
    try {
      const found = await run()
      console.log(`ok    ${name}: ${tell(found)}`)
      return found
    } catch (error) {
      this.healthy = false
      console.log(`FAIL  ${name}: ${(error as Error).message}`)
      return undefined
    }
  }
}

async function checkSettings(env: NodeJS.ProcessEnv, report: Report): Promise<Config | undefined> {
  try {
    const config = readConfig(env)
    await report.check('settings', async () => (config.production ? 'complete for production' : 'readable'))
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.problems) await report.check('settings', () => Promise.reject(new Error(problem)))
    return undefined
  }
}

async function checkDatabase(config: Config, report: Report): Promise<void> {
  await using cleanup = new AsyncDisposableStack()
  const server = await report.check(
    'database',
    async () => cleanup.adopt(await reachDatabase(config), (server) => server.stop()),
    ({ url }) => `answers at ${new URL(url).host}`,
  )
  if (!server) return
  const client = cleanup.adopt(openDatabase(server.url, 1), (client) => client.close())
  await report.check('clock', () => compareClocks(client))
  const isMigrated = await report.check('migrations', () => describeMigrations(server.url))
  if (isMigrated) await report.check('database, identity', () => checkIdentity(client))
}

/** Leases and sessions are judged by the database's clock, signed links and tokens' ends by ours. */
async function compareClocks({ db }: DatabaseClient): Promise<string> {
  const [row] = await db.execute<{ now: string }>('select extract(epoch from now()) * 1000 as now')
  const skew = Math.abs(Date.now() - Number(row?.now)) / 1000
  if (skew > mostSkewSeconds)
    throw new Error(`differs from the database's by ${skew.toFixed(1)} s. Synchronise both machines (NTP).`)
  return `within ${mostSkewSeconds} s of the database's`
}

async function describeMigrations(url: string): Promise<string> {
  const pending = await countPendingMigrations(url)
  if (pending > 0) throw new Error(`${pending} pending. Run: stowage migrate (serve does it too)`)
  return 'all applied'
}

async function checkIdentity({ db }: DatabaseClient): Promise<string> {
  const server = await describeServer(db)
  if (server?.isHeld) throw new Error(howToEndHold)
  if (server?.isSame === false)
    throw new Error('a promoted or restored copy that no server has looked at yet: start one, and read its log')
  if (server === undefined) return 'no server has looked at it yet'
  if (server.timeline === 0) return 'may not be asked for: after a failover or a restore run stowage restored'
  return `the one last seen, on timeline ${server.timeline}`
}

async function checkStore(config: Config, report: Report): Promise<void> {
  await using cleanup = new AsyncDisposableStack()
  const store = await report.check(
    'store',
    async () => requireAnswer(cleanup.adopt(await openStore(config), (store) => store.close())),
    ({ description }) => description,
  )
  if (!store) return
  const options = s3Options(config)
  if (options)
    await report.check('store, multipart upload', () => withinLimit((signal) => probeMultipart(options, signal)))
  await report.check('store, write, read and delete', () => withinLimit((signal) => writeReadDelete(store, signal)))
}

async function requireAnswer(store: ObjectStore): Promise<ObjectStore> {
  const signal = AbortSignal.timeout(answerSeconds * 1000)
  try {
    await store.check(signal)
    return store
  } catch (error) {
    if (!signal.aborted) throw error
    throw new Error(`${store.description} does not answer within ${answerSeconds} s: correct S3_ENDPOINT.`)
  }
}

async function withinLimit(probe: (signal: AbortSignal) => Promise<string>): Promise<string> {
  const signal = AbortSignal.timeout(transferSeconds * 1000)
  try {
    return await probe(signal)
  } catch (error) {
    throw new Error(signal.aborted ? `not done within ${transferSeconds} s` : explainProbe(error))
  }
}

async function writeReadDelete(store: ObjectStore, signal: AbortSignal): Promise<string> {
  const key = `doctor/${randomBytes(20).toString('hex')}`
  const bytes = randomBytes(1024)
  try {
    await store.put(key, Readable.from([bytes]), { signal })
    const read = await buffer(await store.get(key, { range: { first: 100, last: 199 }, signal }))
    if (!read.equals(bytes.subarray(100, 200))) throw new Error('what was read is not what was written')
  } finally {
    await store.remove(key, { signal })
  }
  if (await store.head(key, { signal })) throw new Error('what was deleted is still there')
  return 'works'
}
