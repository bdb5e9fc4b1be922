import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { countPendingMigrations, migrateDatabase } from '#persistence/migration/migrate.ts'
import { type AttachmentObject, formWith, postForm } from '../kit/bearer-api.ts'
import { makeFolder, stowage } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { type PgbouncerOptions, skipWithoutPgbouncer, startPgbouncer } from '../kit/servers/pgbouncer.ts'
import { startServing } from '../kit/serving.ts'
import { until } from '../kit/until.ts'
import { makeMigrations, watchedIndex, watchedRows } from './migration-folder.ts'

type Headers = { authorization: string }

const modes = [
  { mode: 'session', query: '', found: 'session mode' },
  { mode: 'transaction', query: '?prepare=false', found: 'transaction mode; statements are not prepared' },
] as const

/** A database behind a pooler. */
async function openBehind(t: Test, options: PgbouncerOptions & { query?: string }) {
  const direct = await createTestDatabase(t)
  return { direct, url: (await startPgbouncer(t, direct, options)) + (options.query ?? '') }
}

// It starts thirty processes.
t.setTimeout(300_000)

for (const { mode, query, found } of modes)
  t.test(`PgBouncer, ${mode} mode`, { skip: skipWithoutPgbouncer }, async (t) => {
    t.setTimeout(150_000)
    t.test('migrations, of three at once, through one connection', async (t) => {
      for (const poolSize of [1, 3]) {
        const { direct, url } = await openBehind(t, { mode, poolSize, query })
        const migrate = () => stowage(t, ['migrate'], { DATABASE_URL: url })
        for (const ended of await Promise.all([migrate(), migrate(), migrate()]))
          t.match(ended, { code: 0, stderr: '' })
        t.equal(await countPendingMigrations(direct), 0)
      }
    })

    t.test('an index outside a transaction, of three at once, through one connection', async (t) => {
      const folder = await makeMigrations(t, watchedIndex)
      for (const poolSize of [1, 3]) {
        const { direct, url } = await openBehind(t, { mode, poolSize, query })
        await Promise.all([1, 2, 3].map(() => migrateDatabase(url, undefined, folder)))
        const sql = postgres(direct, { max: 1 })
        t.teardown(() => sql.end())
        const [index] = await sql`select indisvalid as valid from pg_index where indexrelid = 'big_watched'::regclass`
        t.strictSame({ ...index }, { valid: true })
        const [calls] = await sql`select last_value::integer + is_called::integer as n from evaluations`
        t.equal(calls?.n, watchedRows, 'it was built once')
        const locks = await sql`
          select from pg_locks join pg_database d on d.oid = database
          where locktype = 'advisory' and datname = current_database()`
        t.equal(locks.count, 0, 'the pooler holds no lock')
      }
    })

    t.test('the doctor says which it is', async (t) => {
      const { url } = await openBehind(t, { mode, poolSize: 3, query })
      await stowage(t, ['migrate'], { DATABASE_URL: url })
      const { code, stdout } = await stowage(t, ['doctor'], { DATABASE_URL: url })
      t.equal(code, 0, stdout)
      t.ok(stdout.includes(`ok    pooler: ${found}`), stdout)
      if (mode === 'session') return
      t.match(stdout, /pooler: .* unless: alter role \S+ set statement_timeout = '14s'$/m, 'what is lost')
      const preparing = await stowage(t, ['doctor'], { DATABASE_URL: url.replace(query, '') })
      t.match(preparing, {
        code: 1,
        stdout: /^FAIL {2}pooler: transaction mode, .* Add \?prepare=false to DATABASE_URL\.$/m,
      })
    })

    t.test('a server with its workers, while its health is asked all the time', async (t) => {
      const { url: databaseUrl } = await openBehind(t, { mode, poolSize: 6, query })
      const folder = await makeFolder(t)
      const env = { DATABASE_URL: databaseUrl, DATABASE_POOL_SIZE: '5', DATA_DIR: folder, DEMO: 'false' }
      const { url } = await startServing(t, { ...env, NODE_ENV: 'test', UPLOAD_LEASE_SECONDS: '3', LOG_LEVEL: 'info' })
      const users = await Promise.all([1, 2, 3, 4].map((user) => tokenOf(t, databaseUrl, user)))

      let isOver = false
      let polls = 0
      const polling = Array.from({ length: 8 }, async (_, index) => {
        const path = index % 2 === 0 ? '/readyz' : '/metrics'
        for (; !isOver; polls += 1) t.equal((await fetch(url + path)).status, 200) || t.bailout()
      })
      const rounds = 6
      await Promise.all(users.flatMap((headers) => [1, 2, 3].map(() => workAs(t, url, headers, rounds))))
      isOver = true
      await Promise.all(polling)
      t.ok(polls > 100, `${polls} polls`)
      for (const headers of users) {
        const { data } = await listOf(url, headers)
        t.equal(data.length, 3 * rounds, 'each user has its own files')
      }

      for (const headers of users) await deleteAll(t, url, headers)
      const left = async () => {
        const entries = await readdir(join(folder, 'objects'), { recursive: true, withFileTypes: true })
        return entries.filter((entry) => entry.isFile()).length
      }
      await until('the purge has removed the bytes', async () => (await left()) === 0)
    })
  })

async function tokenOf(t: Test, databaseUrl: string, user: number): Promise<Headers> {
  const ended = await stowage(t, ['token', 'create', '--user', String(user)], { DATABASE_URL: databaseUrl })
  if (ended.code !== 0) throw new Error(ended.stderr)
  return { authorization: `Bearer ${ended.stdout.trim()}` }
}

async function listOf(url: string, headers: Headers): Promise<{ data: AttachmentObject[] }> {
  const response = await fetch(`${url}/v1/attachments?limit=100`, { headers })
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as { data: AttachmentObject[] }
}

/** Uploads, lists and reads back. Each file is named after its owner. */
async function workAs(t: Test, url: string, headers: Headers, rounds: number): Promise<void> {
  const owner = headers.authorization.slice(-8)
  for (let round = 0; round < rounds; round += 1) {
    const bytes = randomBytes(2_000)
    const response = await postForm({ url }, headers, formWith(new File([bytes], `${owner}.bin`)))
    const uploaded = (await response.json()) as AttachmentObject
    if (!t.equal(response.status, 201, JSON.stringify(uploaded))) return
    const { data } = await listOf(url, headers)
    t.ok(data.some(({ id }) => id === uploaded.id))
    t.strictSame(
      data.filter(({ filename }) => filename !== `${owner}.bin`),
      [],
      "nobody is told of another's",
    )
    const read = Buffer.from(await (await fetch(uploaded.file_url.replace(/^http:\/\/[^/]+/, url))).arrayBuffer())
    t.ok(read.equals(bytes))
  }
}

async function deleteAll(t: Test, url: string, headers: Headers): Promise<void> {
  const { data } = await listOf(url, headers)
  for (const { id } of data) {
    const { status } = await fetch(`${url}/v1/attachments/${id}`, { method: 'DELETE', headers })
    t.equal(status, 204)
  }
}
