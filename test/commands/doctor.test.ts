import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { makeFolder, stowage } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'

t.test('green on a database and a folder, and nothing left in the folder', async (t) => {
  const [url, folder] = [await createTestDatabase(t), await makeFolder(t)]
  await migrateDatabase(url)
  const ended = await stowage(t, ['doctor'], { DATABASE_URL: url, DATA_DIR: folder })
  t.match(ended, { code: 0, stderr: '' })
  t.strictSame(ended.stdout.split('\n'), [
    'ok    settings: readable',
    `ok    database: answers at ${new URL(url).host}`,
    'ok    pooler: none',
    "ok    clock: within 5 s of the database's",
    'ok    migrations: all applied',
    'ok    database, identity: no server has looked at it yet',
    `ok    store: disk folder ${folder}/objects`,
    'ok    store, write, read and delete: works',
    '',
  ])
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  t.strictSame(
    entries.filter((entry) => entry.isFile()).map(({ name }) => name),
    [],
  )
})

t.test('red while migrations are pending', async (t) => {
  const env = { DATABASE_URL: await createTestDatabase(t), DATA_DIR: await makeFolder(t) }
  const ended = await stowage(t, ['doctor'], env)
  t.match(ended, { code: 1, stdout: /^FAIL {2}migrations: \d+ pending\. Run: stowage migrate/m, stderr: '' })
  t.match(await stowage(t, ['migrate'], env), { code: 0 })
  t.match(await stowage(t, ['doctor'], env), { code: 0, stdout: /^ok {4}migrations: all applied$/m })
})

t.test('red without the database, and the store is checked all the same', async (t) => {
  const url = Object.assign(new URL(await createTestDatabase(t)), { password: 'hunter2' }).href
  for (const [database, reason] of [
    ['postgres://127.0.0.1:1/stowage', /ECONNREFUSED/],
    [url, /password authentication failed/],
  ] as const) {
    const { code, stdout, stderr } = await stowage(t, ['doctor'], { DATABASE_URL: database })
    t.match({ code, stderr }, { code: 1, stderr: '' })
    t.match(
      stdout,
      /^FAIL {2}database: The database cannot be used \(.*\): correct DATABASE_URL, or start Postgres\.$/m,
    )
    t.match(stdout, reason)
    t.notMatch(stdout, /hunter2/)
    t.match(stdout, /^ok {4}store, write, read and delete: works$/m)
    t.notMatch(stdout, /clock|migrations/, 'nothing is said of what could not be looked at')
  }
})

t.test('red when DATA_DIR cannot be one', async (t) => {
  const file = join(await makeFolder(t), 'file')
  await writeFile(file, '')
  const { code, stdout, stderr } = await stowage(t, ['doctor'], { DATA_DIR: join(file, 'data') })
  t.match({ code, stderr }, { code: 1, stderr: '' })
  t.match(stdout, /^FAIL {2}database: .*DATA_DIR/m)
  t.match(stdout, /^FAIL {2}store: .*DATA_DIR/m)
})

t.test('red for every setting that is wrong, and nothing else is tried', async (t) => {
  const ended = await stowage(t, ['doctor'], { PORT: 'http', MAX_FILE_SIZE: 'big' })
  t.match(ended, { code: 1, stderr: '' })
  t.match(ended.stdout, /^FAIL {2}settings: PORT must .*\nFAIL {2}settings: MAX_FILE_SIZE must .*\n$/)

  const production = await stowage(t, ['doctor'], { NODE_ENV: 'production', PUBLIC_URL: 'https://files.example' })
  const missing = ['DATABASE_URL', 'S3_BUCKET', 'URL_SIGNING_KEY']
  t.equal(production.code, 1)
  t.strictSame(
    production.stdout.trim().split('\n'),
    missing.map((name) => `FAIL  settings: ${name} is required when NODE_ENV is production`),
  )
})

t.test('the embedded database is started, asked and stopped again', async (t) => {
  const folder = await makeFolder(t)
  const env = { DATA_DIR: join(folder, 'data') }
  t.match(await stowage(t, ['migrate'], env), { code: 0 })
  t.match(await stowage(t, ['doctor'], env), { code: 0, stdout: /^ok {4}database: answers at 127\.0\.0\.1:\d+$/m })
  t.notMatch(await readdir(env.DATA_DIR), ['postgres.lock'])
  t.notOk((await readdir(join(env.DATA_DIR, 'postgres'))).includes('postmaster.pid'), 'Postgres has ended')
})
