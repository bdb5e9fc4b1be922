import t from 'tap'
import { countPendingMigrations } from '../../src/db/migrate.ts'
import { createTestDatabase } from '../support/database.ts'
import { stowage } from './stowage.ts'

t.test('migrate brings an empty database up to date, from several machines at once and again', async (t) => {
  const url = await createTestDatabase(t)
  t.not(await countPendingMigrations(url), 0)
  const done = { code: 0, stdout: 'The database is up to date.\n', stderr: '' }
  const migrate = () => stowage(t, ['migrate'], { DATABASE_URL: url })
  t.strictSame(await Promise.all([migrate(), migrate(), migrate()]), [done, done, done])
  t.equal(await countPendingMigrations(url), 0)
  t.strictSame(await migrate(), done)
})
