import { execFile } from 'node:child_process'
import { chown, mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { postgresUser } from '#dev/embedded-postgres/system-user.ts'
import { findFreePort } from '#dev/free-port.ts'
import { spawnTethered, type Tethered } from '../tethered.ts'
import { until } from '../until.ts'

/** Smart shutdown is left out. SIGINT: in order, connections are cut. SIGQUIT: as if the machine had failed. */
export type PostgresEnd = 'SIGINT' | 'SIGQUIT'

const run = promisify(execFile)

/** Postgres does not run as root. */
const user = postgresUser()
const asUser = user ? { uid: user.uid, gid: user.gid } : {}

const settings = [
  ['listen_addresses', '127.0.0.1'],
  ['unix_socket_directories', ''],
  // What is tested here are servers that end, not machines that do.
  ['fsync', 'off'],
]

/**
 * A Postgres of a test alone, which it ends, copies and starts again. Whoever connects on this machine is let in. It ends
 * with this process.
 */
export class OwnPostgres implements AsyncDisposable {
  readonly #data: string
  #running: { server: Tethered; pid: number } | undefined
  #port: number

  private constructor(directory: string, port: number) {
    this.#data = join(directory, 'data')
    this.#port = port
  }

  /** @param directory an empty folder that the system user of Postgres can enter */
  static async create(directory: string): Promise<OwnPostgres> {
    const own = new OwnPostgres(directory, await findFreePort())
    if (user) await chown(directory, user.uid, user.gid)
    const { initdb } = await programs()
    const flags = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
    await run(initdb, ['-D', own.#data, ...flags], { cwd: '/', ...asUser })
    return own
  }

  /** Of the database `postgres`. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/postgres`
  }

  get port(): number {
    return this.#port
  }

  /** Resolves when it answers. @param port from now on; the one it had unless named */
  async start(port = this.#port): Promise<void> {
    this.#port = port
    const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const command = [(await programs()).postgres, '-D', this.#data, '-p', String(port), ...flags]
    const demoted = user
      ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', ...command]
      : command
    await using log = await open(`${this.#data}.log`, 'a')
    const [program = '', ...args] = demoted
    const server = spawnTethered(program, args, { env: process.env, stdout: log.fd, stderr: log.fd })
    await until('Postgres answers', () => this.query('select 1').then(Boolean, () => false), 30)
    const pid = Number((await readFile(join(this.#data, 'postmaster.pid'), 'utf8')).split('\n')[0])
    this.#running = { server, pid }
  }

  /** Resolves when it has ended. */
  async end(signal: PostgresEnd = 'SIGINT'): Promise<void> {
    if (this.#running === undefined) return
    const { server, pid } = this.#running
    this.#running = undefined
    process.kill(pid, signal)
    await server.exited
  }

  /** Silent, with its connections open, until `thaw`. */
  async freeze(): Promise<void> {
    await this.#signalAll('SIGSTOP')
  }

  async thaw(): Promise<void> {
    await this.#signalAll('SIGCONT')
  }

  /** Each connection has a process of its own. The parent comes first: stopped, it begins no other. */
  async #signalAll(signal: NodeJS.Signals): Promise<void> {
    if (this.#running === undefined) return
    const { pid } = this.#running
    process.kill(pid, signal)
    const { stdout } = await run('pgrep', ['-P', String(pid)])
    for (const child of stdout.trim().split('\n')) killIfThere(Number(child), signal)
  }

  /** As the copy of a disk, while it does not run. @param directory as for `create` */
  async copy(directory: string): Promise<OwnPostgres> {
    const copy = new OwnPostgres(directory, await findFreePort())
    await mkdir(dirname(copy.#data), { recursive: true })
    if (user) await chown(directory, user.uid, user.gid)
    await run('cp', ['-a', this.#data, copy.#data])
    return copy
  }

  /** Makes of a copy, which does not run, a standby that follows. */
  async follow(primary: OwnPostgres): Promise<void> {
    const line = `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres'\n`
    await writeFile(join(this.#data, 'postgresql.auto.conf'), line)
    await writeFile(join(this.#data, 'standby.signal'), '')
    if (user) await chown(join(this.#data, 'standby.signal'), user.uid, user.gid)
  }

  /** A standby receives nothing more. Resolves when it has noticed. */
  async stopFollowing(): Promise<void> {
    await this.query("alter system set primary_conninfo = ''")
    await this.query('select pg_reload_conf()')
    await until('the standby is on its own', async () => {
      const receivers = await this.query('select pid from pg_stat_wal_receiver')
      return receivers.length === 0
    })
  }

  /** Makes a standby a server of its own. */
  async promote(): Promise<void> {
    await this.query('select pg_promote(true, 30)')
  }

  /** Soon every commit waits for a standby of this name, which need not be there; without a name for none. */
  async requireStandby(name = ''): Promise<void> {
    await this.query(`alter system set synchronous_standby_names = '${name}'`)
    await this.query('select pg_reload_conf()')
  }

  /** How many connections wait for a standby, those included whose client is gone. */
  async countWaiting(): Promise<number> {
    const rows = await this.query("select from pg_stat_activity where wait_event = 'SyncRep'")
    return rows.length
  }

  /** Resolves when a standby has all that this server has by now. */
  async isFollowedBy(standby: OwnPostgres): Promise<void> {
    const [position] = await this.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn')
    await until('the standby has caught up', async () => {
      const [row] = await standby.query<{ there: boolean }>(
        `select pg_last_wal_replay_lsn() >= '${position?.lsn}'::pg_lsn as there`,
      )
      return row?.there
    })
  }

  async query<Row extends object>(statement: string): Promise<Row[]> {
    const sql = postgres(this.url, { max: 1, connect_timeout: 5, fetch_types: false, onnotice: () => {} })
    try {
      return (await sql.unsafe(statement)) as unknown as Row[]
    } finally {
      await sql.end({ timeout: 1 })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGQUIT')
  }
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Those that the embedded Postgres brings along for this system. */
async function programs(): Promise<{ initdb: string; postgres: string }> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  return await import(`@embedded-postgres/${system}-${process.arch}`)
}
