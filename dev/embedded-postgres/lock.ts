import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isRunning, type ProcessIdentity, waitForEnd } from './process.ts'

/** The users of a data directory: the process that asked for the database, and the supervisor that runs it. */
export interface LockHolder {
  owner: ProcessIdentity
  supervisor: ProcessIdentity
}

/** Time that a supervisor whose owner died may take to stop its Postgres, in milliseconds. */
const predecessorLimit = 15_000

/**
 * Takes the lock `file`: `mine` alone may touch the database beside it. A lock whose holder died is taken over; when only
 * the owner died, its supervisor may finish stopping first.
 * @returns releases the lock
 * @throws Error that names the holder, and says what to do, when another living process holds the lock
 */
export async function takeLock(
  file: string,
  mine: LockHolder,
  log: (message: string) => void,
): Promise<() => Promise<void>> {
  while (!(await createLock(file, mine))) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const holder = parseHolder(text)
    if (holder) await waitForPredecessor(holder, mine, dirname(file), log)
    await discardLock(file, text)
  }
  return () => rm(file, { force: true })
}

/** Whether a living process holds the lock `file`. */
export async function isHeld(file: string): Promise<boolean> {
  const holder = parseHolder(await readFile(file, 'utf8').catch(() => ''))
  return holder !== undefined && isRunning(holder.owner) && isRunning(holder.supervisor)
}

/** Resolves when no process of `holder` is left that could still use the database. */
async function waitForPredecessor(
  holder: LockHolder,
  mine: LockHolder,
  directory: string,
  log: (message: string) => void,
): Promise<void> {
  const isSupervised = isRunning(holder.supervisor)
  const isOurOwn = holder.owner.pid === mine.owner.pid && holder.owner.started === mine.owner.started
  if (isRunning(holder.owner) && (isSupervised || !isOurOwn)) {
    throw new Error(
      `${directory} is in use by process ${holder.owner.pid}, which runs a database in it. ` +
        'Stop that process, or set DATA_DIR to another folder.',
    )
  }
  if (!isSupervised) return
  log(`waiting for the database of process ${holder.owner.pid}, which died, to stop`)
  if (!(await waitForEnd(holder.supervisor, predecessorLimit))) {
    throw new Error(
      `The database in ${directory} is still being stopped by process ${holder.supervisor.pid}. ` +
        'Try again when that process has ended, or set DATA_DIR to another folder.',
    )
  }
}

/** Creates the lock with its contents in one step. False when the lock exists. */
async function createLock(file: string, holder: LockHolder): Promise<boolean> {
  const draft = `${file}.${process.pid}`
  await writeFile(draft, JSON.stringify(holder), { mode: 0o600 })
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** Removes the stale lock that contains `text`. A lock that a quicker process has put in its place is put back. */
async function discardLock(file: string, text: string): Promise<void> {
  const aside = `${file}.${process.pid}.stale`
  try {
    await rename(file, aside)
    if ((await readFile(aside, 'utf8')) !== text) await link(aside, file)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error
  } finally {
    await rm(aside, { force: true })
  }
}

/** `undefined` for an empty or broken file, which a power cut may leave. */
function parseHolder(text: string): LockHolder | undefined {
  try {
    return JSON.parse(text) as LockHolder
  } catch {
    return undefined
  }
}
