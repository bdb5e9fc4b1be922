import type { Test } from 'tap'
import { stowage } from '../kit/command.ts'

/** The lines that the doctor prints of the store, beside a database that is well. */
export async function linesOfStore(t: Test, database: string, env: NodeJS.ProcessEnv) {
  const { code, stdout, stderr } = await stowage(t, ['doctor'], { DATABASE_URL: database, ...env })
  t.equal(stderr, '')
  t.match(stdout, /^ok {4}migrations: all applied$/m, 'the database is checked all the same')
  return { code, lines: stdout.split('\n').filter((line) => line.slice(6).startsWith('store')) }
}
