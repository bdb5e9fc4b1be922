import postgres, { type Sql } from 'postgres'
import type { Test } from 'tap'
import { createTestDatabase } from '../kit/database.ts'

/** A database of its own for the test, or the one of `url`, and a connection to it. */
export async function connect(t: Test, url?: string): Promise<{ url: string; sql: Sql }> {
  const database = url ?? (await createTestDatabase(t))
  const sql = postgres(database, { max: 1, onnotice: () => {} })
  t.teardown(() => sql.end())
  return { url: database, sql }
}

/** Makes a role that owns the database and has one connection. @returns the URL for it */
export async function urlWithOneConnection(t: Test, url: string, sql: Sql): Promise<string> {
  const name = new URL(url).pathname.slice(1)
  const role = `only_one_${name}`
  await sql.unsafe(`create role ${role} login password 'secret' connection limit 1`)
  await sql.unsafe(`alter database ${name} owner to ${role}`)
  t.teardown(() => sql.unsafe(`reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`))
  return Object.assign(new URL(url), { username: role, password: 'secret' }).href
}
