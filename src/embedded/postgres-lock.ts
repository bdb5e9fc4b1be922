import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isRunning, type ProcessIdentity, waitForEnd } from './postgres-process.ts'

/** Who uses a data directory: the process that asked for the database, and the supervisor that runs it. */
export interface LockHolder {
  owner: ProcessIdentity
  supervisor: ProcessIdentity
}

/** How long a supervisor whose owner died may take to stop its Postgres, in milliseconds. */
const PREDECESSOR_LIMIT = 15_000

/**
 * Takes the lock `file`, which says that `mine` alone may touch the database beside it, and returns what releases it.
 * A lock whose holder died is taken over; when only the owner died, its supervisor may finish stopping first.
 * Rejects when another living process holds it, with a message that says which and what to do.
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

/** Resolves when nothing of `holder` is left that could still use the database. */
async function waitForPredecessor(
  holder: LockHolder,
  mine: LockHolder,
  directory: string,
  log: (message: string) => void,
): Promise<void> {
  const supervised = isRunning(holder.supervisor)
  const isOurOwn = holder.owner.pid === mine.owner.pid && holder.owner.started === mine.owner.started
  if (isRunning(holder.owner) && (supervised || !isOurOwn)) {
    throw new Error(
      `${directory} is in use by process ${holder.owner.pid}, which runs a database in it. ` +
        'Stop that process, or set DATA_DIR to another folder.',
    )
  }
  if (!supervised) return
  log(`waiting for the database of process ${holder.owner.pid}, which died, to stop`)
  if (!(await waitForEnd(holder.supervisor, PREDECESSOR_LIMIT))) {
    throw new Error(
      `The database in ${directory} is still being stopped by process ${holder.supervisor.pid}. ` +
        'Try again when that process has ended, or set DATA_DIR to another folder.',
    )
  }
}

/** Creates the lock, contents and all, in one step; false when there is one already. */
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

/** Removes the stale lock that said `text`. One that somebody quicker has put in its place is put back. */
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

/** `undefined` for what a power cut may leave: an empty or broken file. */
function parseHolder(text: string): LockHolder | undefined {
  try {
    return JSON.parse(text) as LockHolder
  } catch {
    return undefined
  }
}
