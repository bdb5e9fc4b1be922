import { spawn } from 'node:child_process'
import { once } from 'node:events'
import postgres from 'postgres'
import t from 'tap'
import { countPendingMigrations, migrationLock } from '#persistence/migration/migrate.ts'
import { inheritedEnvironment, makeFolder, program, stowage } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { until } from '../kit/until.ts'

t.test('migrate brings an empty database up to date, from several machines at once and again', async (t) => {
  const url = await createTestDatabase(t)
  t.not(await countPendingMigrations(url), 0)
  const done = { code: 0, stdout: 'The database is up to date.\n', stderr: '' }
  const migrate = () => stowage(t, ['migrate'], { DATABASE_URL: url })
  t.strictSame(await Promise.all([migrate(), migrate(), migrate()]), [done, done, done])
  t.equal(await countPendingMigrations(url), 0)
  t.strictSame(await migrate(), done)
})

for (const [words, code] of [
  [['serve'], 0],
  [['scrub'], 1],
] as const)
  t.test(`SIGTERM ends ${words.join(' ')} while it waits for another that migrates`, async (t) => {
    const url = await createTestDatabase(t)
    const sql = postgres(url, { max: 1 })
    t.teardown(() => sql.end())
    await sql`select pg_advisory_lock(${migrationLock})`
    const child = spawn(process.execPath, [program, ...words], {
      cwd: await makeFolder(t),
      env: { ...inheritedEnvironment(), DATABASE_URL: url, PORT: '0' },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    let printed = ''
    child.stderr.setEncoding('utf8').on('data', (text) => (printed += text))
    t.teardown(() => child.kill('SIGKILL'))
    const isWaiting = async () =>
      (await sql`select from pg_locks where locktype = 'advisory' and not granted`).length > 0
    await until('it waits', isWaiting)
    const askedAt = performance.now()
    child.kill('SIGTERM')
    t.strictSame(await once(child, 'exit'), [code, null])
    t.ok(performance.now() - askedAt < 3000)
    t.notMatch(printed, /\n {4}at /, 'no stack')
  })
