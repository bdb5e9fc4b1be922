import { type Config, readConfig } from '#config/config.ts'
import { ConfigError } from '#domain/errors.ts'
import { type DatabaseClient, openDatabase } from '#persistence/connection/client.ts'
import { findPooler } from '#persistence/connection/pooler.ts'
import { countPendingMigrations } from '#persistence/migration/migrate.ts'
import { describeServer } from '#persistence/server-identity.ts'
import { holdAdvice } from '#recovery/release-hold.ts'
import { Report } from './doctor-report.ts'
import { checkStore } from './doctor-store.ts'
import { reachDatabase } from './open-resources.ts'

const maxSkewSeconds = 5

/** `stowage doctor`: checks settings, database, bucket and clock, and prints the fixes. Exits 1 when a check fails. */
export async function doctor(env: NodeJS.ProcessEnv): Promise<void> {
  const report = new Report()
  const config = await checkSettings(env, report)
  if (config) {
    await checkDatabase(config, report)
    await checkStore(config, report)
  }
  if (!report.healthy) process.exitCode = 1
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
  await report.check('pooler', () => describePooler(client, server.url))
  await report.check('clock', () => compareClocks(client))
  const isMigrated = await report.check('migrations', () => describeMigrations(server.url))
  if (isMigrated) await report.check('database, identity', () => checkIdentity(client))
}

/** Describes the connection pooler and the features lost behind it. @throws Error when the settings do not fit the pooler */
async function describePooler({ db }: DatabaseClient, url: string): Promise<string> {
  const mode = await findPooler(db, url)
  if (mode === 'none') return 'none'
  const isPrepared = new URL(url).searchParams.get('prepare') !== 'false'
  if (mode === 'session') return isPrepared ? 'session mode' : 'session mode, which does not need ?prepare=false'
  if (isPrepared)
    throw new Error('transaction mode, which loses prepared statements. Add ?prepare=false to DATABASE_URL.')
  const [row] = await db.execute<{ timeout: string; user: string }>(
    `select current_setting('statement_timeout') as timeout, quote_ident(current_user) as user`,
  )
  if (row?.timeout !== '0') return 'transaction mode; statements are not prepared'
  const advice = `alter role ${row.user} set statement_timeout = '14s'`
  return `transaction mode; statements are not prepared, and go on in Postgres when nobody waits for them any more, unless: ${advice}`
}

/**
 * Compares the clock of this machine with the database's. Links and credentials expire by the database's clock; logs and requests
 * to the store carry the time of this machine.
 */
async function compareClocks({ db }: DatabaseClient): Promise<string> {
  const [row] = await db.execute<{ now: string }>('select extract(epoch from now()) * 1000 as now')
  const skew = Math.abs(Date.now() - Number(row?.now)) / 1000
  if (skew > maxSkewSeconds)
    throw new Error(`differs from the database's by ${skew.toFixed(1)} s. Synchronise both machines (NTP).`)
  return `within ${maxSkewSeconds} s of the database's`
}

async function describeMigrations(url: string): Promise<string> {
  const pending = await countPendingMigrations(url)
  if (pending > 0) throw new Error(`${pending} pending. Run: stowage migrate (serve does it too)`)
  return 'all applied'
}

async function checkIdentity({ db }: DatabaseClient): Promise<string> {
  const server = await describeServer(db)
  if (server?.isHeld) throw new Error(holdAdvice)
  if (server?.isSame === false)
    throw new Error('a promoted or restored copy that no server has looked at yet: start one, and read its log')
  if (server === undefined) return 'no server has looked at it yet'
  if (server.timeline === 0) return 'may not be asked for: after a failover or a restore run stowage restored'
  return `the one last seen, on timeline ${server.timeline}`
}
