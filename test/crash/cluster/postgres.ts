import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '#dev/free-port.ts'
import { startProcess } from '../../../bench/processes/own-process.ts'
import { runStatement } from '../../kit/database.ts'
import type { PostgresEnd, Question } from './postgres-keeper.ts'

/** A Postgres that a campaign may treat badly. */
export interface CrashingPostgres extends AsyncDisposable {
  /** Of a database from which others are made. */
  url: string
  /** Ends it and starts it again on the same port and data. */
  restart(signal: PostgresEnd): Promise<void>
  /** Breaks every connection to one database, as its administrator would. */
  cutConnections(database: string): Promise<void>
}

const keeper = fileURLToPath(new URL('postgres-keeper.ts', import.meta.url))

export async function startCrashingPostgres(directory: string, signal: AbortSignal): Promise<CrashingPostgres> {
  const cwd = join(directory, 'database')
  await mkdir(cwd, { mode: 0o711 })
  const logFile = join(directory, 'postgres.log')
  const process = await startProcess({ args: [keeper, cwd, String(await findFreePort())], cwd, logFile, signal })
  const ask = <Answer>(question: Question) => process.ask<Answer>(question)
  const { url } = await ask<{ url: string }>({ ask: 'url' })
  return {
    url,
    async restart(end) {
      await ask({ ask: 'restart', signal: end })
    },
    cutConnections: (database) =>
      runStatement(url, `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  }
}

/** Makes a database. @returns its URL */
export async function createDatabase({ url }: CrashingPostgres, name: string): Promise<string> {
  await runStatement(url, `create database ${name}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}
