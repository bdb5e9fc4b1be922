import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'

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

/** Whether `user` can enter every folder down to `path`. */
export function canEnter(user: SystemUser, path: string): boolean {
  return closedFolder(user, path) === undefined
}

/** @throws Error that names the folder which `user` cannot enter on the way to `path`, and what to do */
export function requireEntry(user: SystemUser, path: string): void {
  const closed = closedFolder(user, path)
  if (closed === undefined) return
  throw new Error(
    'Postgres does not run as root, so it runs as the system user "postgres", and that user cannot enter ' +
      `${closed}, which is on the way to ${path}. Run Stowage as a normal user, or set DATA_DIR to a folder that it can ` +
      `enter, such as /var/lib/stowage, or allow it: chmod o+x ${closed}`,
  )
}

/** Of the folders down to `path`, the first that `user` cannot enter. */
function closedFolder(user: SystemUser, path: string): string | undefined {
  return foldersTo(path).find((folder) => spawnSync('test', ['-x', folder], { ...user, cwd: '/' }).status !== 0)
}

/** Every folder from the root down to `path`, which is left out if it is a file. */
function foldersTo(path: string): string[] {
  const parent = dirname(path)
  const above = parent === path ? [] : foldersTo(parent)
  return statSync(path).isDirectory() ? [...above, path] : above
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
