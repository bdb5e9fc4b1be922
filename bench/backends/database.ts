import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { Backends } from './backends.ts'

/** A database of one measurement's own, dropped when it is disposed of. */
export interface Database extends AsyncDisposable {
  name: string
  url: string
}

/** @param template database that it begins as a copy of; nobody may be connected to that */
export async function createDatabase({ databaseUrl }: Backends, template?: Database): Promise<Database> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  const copied = template === undefined ? '' : ` TEMPLATE ${template.name}`
  await query(databaseUrl, `CREATE DATABASE ${name}${copied}`)
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  return {
    name,
    url: url.href,
    async [Symbol.asyncDispose]() {
      await query(databaseUrl, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

/** The version of the server, in its own words. */
export async function postgresVersion({ databaseUrl }: Backends): Promise<string> {
  const [row] = await query(databaseUrl, 'SHOW server_version')
  return row?.server_version
}

async function query(url: string, statement: string): Promise<postgres.RowList<postgres.Row[]>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}
