import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, chmod, cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { connectOrStartEmbeddedPostgres, startEmbeddedPostgres } from '#dev/embedded-postgres/embedded-postgres.ts'
import { identifyProcess, isRunning, type ProcessIdentity } from '#dev/embedded-postgres/process.ts'
import { findPrograms } from '#dev/embedded-postgres/programs.ts'
import { postgresUser, type SystemUser } from '#dev/embedded-postgres/system-user.ts'
import { until } from '../kit/until.ts'
import { readPostgresPid, readSupervisorPid, startHolder } from './holder.ts'

const isRoot = process.getuid?.() === 0

/** A data directory that Postgres can reach under root too, gone when the test ends. */
async function makeDirectory(t: Test): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'stowage-embedded-'))
  if (isRoot) await chmod(parent, 0o711)
  t.teardown(() => rm(parent, { recursive: true, force: true, maxRetries: 20 }))
  return join(parent, 'data')
}

/** Runs Postgres until the test ends. */
async function start(t: Test, directory: string) {
  const handle = await startEmbeddedPostgres({ directory })
  t.teardown(() => handle.stop())
  return handle
}

async function query(url: string, statement: string) {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

function identify(pid: number): ProcessIdentity {
  const found = identifyProcess(pid)
  if (!found) throw new Error(`no process ${pid}`)
  return found
}

/** Leaves a database behind whose owner and supervisor were killed. @param use is called with its URL before that */
async function leaveOrphan(
  t: Test,
  directory: string,
  use?: (url: string) => Promise<unknown>,
): Promise<ProcessIdentity> {
  const holder = startHolder(t, directory)
  const { url } = JSON.parse(await holder.nextLine())
  await use?.(url)
  const orphan = identify(await readPostgresPid(directory))
  process.kill(holder.process.pid, 'SIGSTOP')
  process.kill(await readSupervisorPid(directory), 'SIGKILL')
  await holder.kill()
  t.ok(isRunning(orphan), 'Postgres goes on alone')
  return orphan
}

async function listModes(directory: string, names: string[]) {
  const modes = names.map(async (name) => [name, ((await stat(join(directory, name))).mode & 0o777).toString(8)])
  return Object.fromEntries(await Promise.all(modes))
}

t.test('keeps state between starts', async (t) => {
  const directory = await makeDirectory(t)
  const first = await start(t, directory)
  await query(first.url, 'create table kept as select 42 as answer')
  await first.stop()
  t.equal(await first.exited, undefined, 'a stop that was asked for is no failure')
  await t.rejects(query(first.url, 'select 1'), { code: 'ECONNREFUSED' })
  t.strictSame((await readdir(directory)).sort(), ['postgres', 'postgres.log', 'postgres.password'])

  const second = await start(t, directory)
  t.match(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
})

t.test('is set up the same everywhere', async (t) => {
  const { LANG } = process.env
  process.env.LANG = 'C'
  t.teardown(() => {
    process.env.LANG = LANG
  })
  const directory = await makeDirectory(t)
  const { url } = await start(t, directory)
  const settings = `select name, setting from pg_settings where name in ('server_encoding', 'data_checksums',
    'listen_addresses', 'unix_socket_directories', 'password_encryption') order by name`
  t.strictSame(
    [...(await query(url, settings))],
    [
      { name: 'data_checksums', setting: 'on' },
      { name: 'listen_addresses', setting: '127.0.0.1' },
      { name: 'password_encryption', setting: 'scram-sha-256' },
      { name: 'server_encoding', setting: 'UTF8' },
      { name: 'unix_socket_directories', setting: '' },
    ],
  )
  t.match(await query(url, "select current_database() as name, length('ü€🚢') as length"), [
    { name: 'stowage', length: 3 },
  ])
  const wrong = new URL(url)
  wrong.password = 'wrong'
  await t.rejects(query(wrong.href, 'select 1'), { code: '28P01' }, 'the password counts')
  t.strictSame(
    await listModes(directory, ['', 'postgres', 'postgres.password', 'postgres.json', 'postgres.lock', 'postgres.log']),
    {
      '': isRoot ? '711' : '700',
      postgres: '700',
      'postgres.password': '600',
      'postgres.json': '600',
      'postgres.lock': '600',
      'postgres.log': '600',
    },
  )
})

t.test('a second terminal uses the running database and leaves it running', async (t) => {
  const directory = await makeDirectory(t)
  const holder = startHolder(t, directory)
  await until('the holder has begun', () => existsSync(join(directory, 'postgres.lock')))
  const guest = await connectOrStartEmbeddedPostgres({ directory })
  t.equal(guest.url, JSON.parse(await holder.nextLine()).url, 'waits for one that is starting')
  await guest.stop()
  t.match(await query(guest.url, 'select 1 as one'), [{ one: 1 }])
  await holder.release()

  const own = await connectOrStartEmbeddedPostgres({ directory })
  t.match(await query(own.url, 'select 1 as one'), [{ one: 1 }], 'starts one when none runs')
  await own.stop()
  await t.rejects(query(own.url, 'select 1'), { code: 'ECONNREFUSED' })
})

t.test('a second start is refused and harms nothing', async (t) => {
  const directory = await makeDirectory(t)
  const holder = startHolder(t, directory)
  const { url } = JSON.parse(await holder.nextLine())
  await t.rejects(startEmbeddedPostgres({ directory }), {
    message: new RegExp(`in use by process ${holder.process.pid},.*DATA_DIR`),
  })
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }])
  await holder.release()
})

t.test('of two starts at once one wins, also over a stale lock', async (t) => {
  const directory = await makeDirectory(t)
  await (await start(t, directory)).stop()
  const stale = { pid: process.pid, started: 'before the last reboot' }
  await writeFile(join(directory, 'postgres.lock'), JSON.stringify({ owner: stale, supervisor: stale }))
  const starts = await Promise.allSettled([start(t, directory), start(t, directory), start(t, directory)])
  t.strictSame(starts.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected'])
})

t.test('Ctrl-C in the terminal leaves the database to whoever drains', async (t) => {
  const directory = await makeDirectory(t)
  const holder = startHolder(t, directory)
  const { url } = JSON.parse(await holder.nextLine())
  const sql = postgres(url, { max: 1 })
  t.teardown(() => sql.end())
  await sql`select 1`
  process.kill(-holder.process.pid, 'SIGINT')
  t.equal(await holder.nextLine(), 'draining')
  process.kill(await readSupervisorPid(directory), 'SIGTERM')
  t.match(await sql`select 1 as one`, [{ one: 1 }], 'open connections survive')
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }], 'new ones are accepted')
  await holder.release()
  await t.rejects(query(url, 'select 1'), { code: 'ECONNREFUSED' })
})

t.test('kill -9 of the owner ends the database', async (t) => {
  const directory = await makeDirectory(t)
  const holder = startHolder(t, directory)
  const { url } = JSON.parse(await holder.nextLine())
  await query(url, 'create table kept as select 42 as answer')
  const server = identify(await readPostgresPid(directory))
  const supervisor = identify(await readSupervisorPid(directory))
  await holder.kill()
  await until('Postgres ends', () => !isRunning(server), 5)
  await until('its supervisor ends', () => !isRunning(supervisor), 5)
  const second = await start(t, directory)
  t.match(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
})

t.test('a start right after kill -9 waits for the old database to stop', async (t) => {
  const directory = await makeDirectory(t)
  const holder = startHolder(t, directory)
  await holder.nextLine()
  await holder.kill()
  const { url } = await start(t, directory)
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }])
})

t.test('kill -9 of owner and supervisor: the next start stops the orphan', async (t) => {
  const directory = await makeDirectory(t)
  const orphan = await leaveOrphan(t, directory, (url) => query(url, 'create table kept as select 42 as answer'))
  const second = await start(t, directory)
  t.notOk(isRunning(orphan))
  t.match(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
})

t.test('a pid that now belongs to somebody else stops no start and is not touched', async (t) => {
  const directory = await makeDirectory(t)
  await (await start(t, directory)).stop()
  await writeFile(join(directory, 'postgres', 'postmaster.pid'), `${process.pid}\n${directory}/postgres\n`)
  const { url } = await start(t, directory)
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }])
})

t.test('a first start that was killed is started over', async (t) => {
  const directory = await makeDirectory(t)
  const holder = startHolder(t, directory)
  await until('initdb has begun', async () => {
    const [initialising] = existsSync(directory) ? (await readdir(directory)).filter((name) => /-init/.test(name)) : []
    return initialising !== undefined && existsSync(join(directory, initialising, 'cluster', 'PG_VERSION'))
  })
  process.kill(await readSupervisorPid(directory), 'SIGKILL')
  await holder.kill()
  t.notOk(existsSync(join(directory, 'postgres')), 'was killed before it was done')

  const { url } = await start(t, directory)
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }])
  t.notMatch(await readdir(directory), /-init/, 'nothing is left of the first try')
})

t.test('tells its owner when it dies', async (t) => {
  const busy = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(busy))
  const directory = await makeDirectory(t)
  const first = await start(t, directory)
  process.kill(await readPostgresPid(directory), 'SIGQUIT')
  t.match(await first.exited, { message: /ended unexpectedly.*postgres\.log:\n.*immediate shutdown/s })

  const second = await start(t, directory)
  process.kill(await readSupervisorPid(directory), 'SIGKILL')
  t.match(await second.exited, { message: /supervisor of Postgres ended unexpectedly \(SIGKILL\)/ })

  const third = await start(t, directory)
  t.match(await query(third.url, 'select 1 as one'), [{ one: 1 }], 'and can be started again')
})

t.test('says why it does not start', async (t) => {
  const directory = await makeDirectory(t)
  await (await start(t, directory)).stop()
  await appendFile(join(directory, 'postgres', 'postgresql.conf'), 'no_such_setting = on\n')
  await t.rejects(startEmbeddedPostgres({ directory }), { message: /postgres\.log:\n.*no_such_setting/s })
  await rm(join(directory, 'postgres.password'))
  await t.rejects(startEmbeddedPostgres({ directory }), { message: /postgres\.password is missing/ })
})

t.test(
  'under root, in a folder that Postgres cannot enter',
  { skip: !isRoot || !existsSync('/proc/self/fd') },
  async (t) => {
    const closed = await mkdtemp(join(tmpdir(), 'stowage-embedded-'))
    t.teardown(() => rm(closed, { recursive: true, force: true, maxRetries: 20 }))
    const directory = join(closed, 'data')

    await t.test('it starts, and keeps state between starts', async (t) => {
      const first = await start(t, directory)
      await query(first.url, 'create table kept as select 42 as answer')
      t.match(await query(first.url, 'select pg_reload_conf() as done'), [{ done: true }])
      await first.stop()
      const second = await start(t, directory)
      t.match(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
      const guest = await connectOrStartEmbeddedPostgres({ directory })
      t.equal(guest.url, second.url, 'a second terminal finds it')
      await second.stop()
      t.equal((await stat(closed)).mode & 0o777, 0o700, 'and the folder is as closed as before')
    })

    await t.test('an orphan is stopped, and only that of this folder', async (t) => {
      const other = await mkdtemp(join(tmpdir(), 'stowage-embedded-'))
      t.teardown(() => rm(other, { recursive: true, force: true, maxRetries: 20 }))
      const bystander = await start(t, join(other, 'data'))
      const orphan = await leaveOrphan(t, directory)
      const second = await start(t, directory)
      t.notOk(isRunning(orphan))
      t.match(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
      t.match(await query(bystander.url, 'select 1 as one'), [{ one: 1 }])
    })
  },
)

t.test('programs that another user cannot get at are copied, once', { skip: !isRoot }, async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'stowage-embedded-'))
  await chmod(parent, 0o711)
  t.teardown(() => rm(parent, { recursive: true, force: true }))
  const [cache, closed] = [join(parent, 'cache'), join(parent, 'closed')]
  const user = postgresUser() as SystemUser
  const said: string[] = []
  const options = { user, cache, log: (message: string) => void said.push(message) }
  const reachable = await findPrograms(options)
  t.strictSame([existsSync(cache), said], [false, []], 'what can be reached is run where it is')

  await mkdir(closed, { mode: 0o700 })
  await cp(join(reachable.postgres, '..', '..'), join(closed, 'native'), { recursive: true, verbatimSymlinks: true })
  const inClosed = { ...options, folder: join(closed, 'native') }
  const umask = process.umask(0o077)
  t.teardown(() => process.umask(umask))
  const found = await Promise.all([findPrograms(inClosed), findPrograms(inClosed)])
  t.strictSame(found[0], found[1], 'also when two start at once')
  t.match(await readdir(cache), [/^postgres-18/])
  const { status, stdout } = spawnSync(found[0].postgres, ['--version'], { ...user, cwd: '/', encoding: 'utf8' })
  t.match({ status, stdout }, { status: 0, stdout: /PostgreSQL/ })
  t.match(said, [/copying Postgres to/])
})
