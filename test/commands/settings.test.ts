import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder, program, runCommand, stowage } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'

const createToken = ['token', 'create', '--user', '1']

t.test('production with missing settings: each is named, at once', async (t) => {
  for (const words of [['serve'], createToken]) {
    const ended = await stowage(t, words, { NODE_ENV: 'production', S3_BUCKET: 'attachments' })
    t.match(ended, { code: 1, stdout: '' }, words.join(' '))
    t.equal(
      ended.stderr,
      [
        'Stowage cannot start with these settings:',
        '  DATABASE_URL is required when NODE_ENV is production',
        '  PUBLIC_URL is required when NODE_ENV is production',
        '  URL_SIGNING_KEY is required when NODE_ENV is production',
        '',
      ].join('\n'),
    )
  }
})

t.test('a wrong setting is named, a secret not shown', async (t) => {
  const ended = await stowage(t, ['serve'], { PORT: 'eighty', DATABASE_URL: 'mysql://stowage:hunter2@db' })
  t.match(ended, { code: 1, stdout: '', stderr: /\n {2}PORT must .*\(it is "eighty"\)\n {2}DATABASE_URL must / })
  t.notMatch(ended.stderr, /hunter2/)
})

t.test('.env in the working directory is read, and the environment wins', async (t) => {
  const cwd = await makeFolder(t)
  await writeFile(join(cwd, '.env'), 'DATABASE_URL=mysql://from-the-file\nSESSION_COOKIE=from-the-file\n')
  const run = (env: NodeJS.ProcessEnv) =>
    runCommand([process.execPath, program, 'session', 'create', '--user', '1'], { cwd, env })
  t.match(await run({}), { code: 1, stderr: /DATABASE_URL must be a URL/ })
  const ended = await run({ DATABASE_URL: await createTestDatabase(t) })
  t.match(ended, { code: 0, stdout: /^from-the-file=[\w-]{43}\n$/, stderr: '' })
})

t.test('a database that cannot be used is told in a line that names the setting', async (t) => {
  const url = new URL(await createTestDatabase(t))
  const told = /^The database cannot be used \(.+\): correct DATABASE_URL, or start Postgres\.\n$/
  const refused = async (words: string[], change: Partial<URL>) => {
    const wrong = Object.assign(new URL(url), change).href
    const ended = await stowage(t, words, { DATABASE_URL: wrong, PORT: '0' })
    t.match(ended, { code: 1, stdout: '', stderr: told }, words.join(' '))
    t.notMatch(ended.stderr, /hunter2/)
  }
  await refused(['serve'], { port: '1' })
  await refused(createToken, { password: 'hunter2' })
  await refused(['migrate'], { pathname: '/no_such_database' })
})
