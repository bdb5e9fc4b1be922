import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { Test } from 'tap'
import { nameOfTestFile } from './test-file.ts'

/**
 * Makes an empty database for this test file and returns its URL. When the test ends it is dropped, whoever is still
 * connected. After a failure it is kept, and its name is printed: to look into it, run the test with a
 * TEST_DATABASE_URL of your own, as the server of `npm test` ends with it.
 */
export async function createTestDatabase(t: Test): Promise<string> {
  const server = process.env.TEST_DATABASE_URL
  if (!server) throw new Error('No database to test with. Run this file with: npm test -- test/that.test.ts')
  const name = `test_${nameOfTestFile('_')}_${randomBytes(4).toString('hex')}`
  await runStatement(server, `CREATE DATABASE ${name}`)
  t.teardown(async () => {
    if (t.passing()) await runStatement(server, `DROP DATABASE ${name} WITH (FORCE)`)
    else console.error(`The database of this failed test is kept for as long as its server runs: ${name}`)
  })
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on a connection of its own. */
export async function runStatement(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}
