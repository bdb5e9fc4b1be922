import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface SystemUser {
  uid: number
  gid: number
}

/**
 * The user that Postgres runs as; `undefined` for the user of this process. Postgres refuses to run as root, so root gets
 * the system user `postgres`, which is created when it is missing.
 * @throws Error that says what to do when that user cannot be created
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

/** Paths in the form in which a program of Postgres gets them, and the open files that the program inherits for them. */
export interface PassedPaths {
  names: string[]
  /** Belong behind the three standard ones in the `stdio` of `spawn`. */
  descriptors: number[]
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes paths usable for a program that runs as `user`. Where `user` cannot enter a folder on the way, as in a home directory
 * of root's, this process opens the paths and the program inherits them: Linux checks no folder above an open file again.
 * @throws Error that says what to allow, on systems without `/proc/self/fd`
 */
export async function passPaths(user: SystemUser | undefined, paths: string[]): Promise<PassedPaths> {
  if (user === undefined || paths.every((path) => canEnter(user, path)))
    return { names: paths, descriptors: [], async [Symbol.asyncDispose]() {} }
  if (!existsSync('/proc/self/fd')) for (const path of paths) requireEntry(user, path)
  const handles: FileHandle[] = []
  for (const path of paths) handles.push(await open(path, 'r'))
  return {
    names: paths.map((_, index) => inheritedName(index)),
    descriptors: handles.map(({ fd }) => fd),
    async [Symbol.asyncDispose]() {
      for (const handle of handles) await handle.close()
    },
  }
}

/** The name of an inherited file or folder on Linux. The numbers 0 to 2 are the standard descriptors (proc(5)). */
export function inheritedName(index: number): string {
  return `/proc/self/fd/${3 + index}`
}

/** The first of the folders down to `path` that `user` cannot enter. */
function closedFolder(user: SystemUser, path: string): string | undefined {
  return foldersTo(path).find((folder) => spawnSync('test', ['-x', folder], { ...user, cwd: '/' }).status !== 0)
}

/** Every folder from the root down to `path`; without `path` itself if it is a file. */
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
  const account = ['--system', '--gid', 'postgres', '--no-create-home', '--shell', '/usr/sbin/nologin']
  spawnSync('useradd', [...account, 'postgres'])
  return findPostgresUser()
}
