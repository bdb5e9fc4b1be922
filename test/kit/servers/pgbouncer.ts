import { chmod, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { findFreePort } from '#dev/free-port.ts'
import { skipWithout } from '../programs.ts'
import { spawnTethered } from '../tethered.ts'
import { until } from '../until.ts'

/** Debian's place is not on every path. */
const path = `${process.env.PATH}:/usr/sbin`

/** For the `skip` option of tests that need it. */
export const skipWithoutPgbouncer = skipWithout('PgBouncer', ['env', `PATH=${path}`, 'pgbouncer', '--version'])

export interface PgbouncerOptions {
  mode: 'session' | 'transaction'
  /** Most connections to Postgres. */
  poolSize: number
}

/**
 * PgBouncer as it is configured by default, in front of one database, gone when the test ends.
 * @returns the URL of the database through it
 */
export async function startPgbouncer(t: Test, databaseUrl: string, options: PgbouncerOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-test-'))
  const port = await findFreePort()
  await writeConfig(folder, { ...options, databaseUrl, port })
  const { command, args } = asNobody(['pgbouncer', join(folder, 'pgbouncer.ini')])
  const log = await open(join(folder, 'pgbouncer.log'), 'w')
  const env = { ...process.env, PATH: path }
  const { stop } = spawnTethered(command, args, { env, stdout: log.fd, stderr: log.fd })
  await log.close()
  t.teardown(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  })
  await until(`PgBouncer listens, or says in ${folder} why not`, () => isListening(port))
  return Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href
}

async function writeConfig(
  folder: string,
  { databaseUrl, port, mode, poolSize }: PgbouncerOptions & { databaseUrl: string; port: number },
): Promise<void> {
  const { hostname, port: behind, username, password } = new URL(databaseUrl)
  const users = join(folder, 'users.txt')
  await writeFile(users, `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`)
  const lines = [
    '[databases]',
    `* = host=${hostname} port=${behind || 5432}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${users}`,
    `pool_mode = ${mode}`,
    `default_pool_size = ${poolSize}`,
  ]
  await writeFile(join(folder, 'pgbouncer.ini'), `${lines.join('\n')}\n`)
  await chmod(folder, 0o755)
}

/** It does not run as root. */
function asNobody(words: string[]): { command: string; args: string[] } {
  const isRoot = process.getuid?.() === 0
  const change = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
  const [command = '', ...args] = [...change, ...words]
  return { command, args }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const tell = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => tell(true)).once('error', () => tell(false))
  })
}
