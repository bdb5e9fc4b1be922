import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { type DatabaseClient, openDatabase } from '../db/client.ts'
import { countPendingMigrations } from '../db/migrate.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { probeMultipart } from '../store/s3-probe.ts'
import { openStore, reachDatabase, s3Options } from './parts.ts'

const timeLimit = 30_000
const mostSkewSeconds = 5

/** What a check found, in words; it throws an Error that says what to fix. */
type Check = () => Promise<string>

/** `stowage doctor`: checks settings, database, bucket and clock, and says what to fix. Exits 1 when something is wrong. */
export async function doctor(env: NodeJS.ProcessEnv): Promise<void> {
  let healthy = true
  const check = async (name: string, run: Check) => {
    try {
      console.log(`ok    ${name}: ${await run()}`)
    } catch (error) {
      healthy = false
      console.log(`FAIL  ${name}: ${(error as Error).message}`)
    }
  }
  const config = await checkSettings(env, check)
  if (config) {
    await checkDatabase(config, check)
    await checkStore(config, check)
  }
  if (!healthy) process.exitCode = 1
}

type Run = (name: string, run: Check) => Promise<void>

async function checkSettings(env: NodeJS.ProcessEnv, check: Run): Promise<Config | undefined> {
  try {
    const config = readConfig(env)
    await check('settings', async () => (config.production ? 'complete for production' : 'readable'))
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.problems) await check('settings', () => Promise.reject(new Error(problem)))
    return undefined
  }
}

async function checkDatabase(config: Config, check: Run): Promise<void> {
  let url: string | undefined
  await check('database', async () => {
    const server = await reachDatabase(config)
    url = server.url
    const client = openDatabase(url, 1)
    try {
      const version = await databaseVersion(client)
      await check('clock', () => compareClocks(client))
      await check('migrations', () => describeMigrations(server.url))
      return version
    } finally {
      await client.close()
      await server.stop()
    }
  })
}

async function databaseVersion({ db }: DatabaseClient): Promise<string> {
  try {
    const [row] = await db.execute<{ version: string }>('select version()')
    return String(row?.version).split(' ').slice(0, 2).join(' ')
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined
    throw new Error(`${cause?.code ?? ''} ${cause?.message ?? ''}. Check DATABASE_URL and that Postgres runs.`.trim())
  }
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

async function checkStore(config: Config, check: Run): Promise<void> {
  const store = await openStore(config)
  try {
    let reachable = false
    await check('store', async () => {
      await store.check(AbortSignal.timeout(timeLimit))
      reachable = true
      return store.description
    })
    if (!reachable) return
    const options = s3Options(config)
    if (options) await check('store, multipart upload', () => probeMultipart(options, AbortSignal.timeout(timeLimit)))
    await check('store, write, read and delete', () => writeReadDelete(store))
  } finally {
    await store.close()
  }
}

async function writeReadDelete(store: ObjectStore): Promise<string> {
  const signal = AbortSignal.timeout(timeLimit)
  const key = `doctor/${randomBytes(20).toString('hex')}`
  const bytes = randomBytes(1024)
  try {
    await store.put(key, Readable.from([bytes]), { signal })
    const read = await buffer(await store.get(key, { range: { first: 100, last: 199 }, signal }))
    if (!read.equals(bytes.subarray(100, 200))) throw new Error('what was read is not what was written')
  } finally {
    await store.remove(key, { signal })
  }
  if (await store.head(key, { signal })) throw new Error('what was deleted is still there. Allow s3:DeleteObject.')
  return 'works'
}
