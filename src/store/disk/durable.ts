import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StowageError } from '#domain/errors.ts'
import { putFailed } from '#store/errors.ts'

/** Modes of everything in the store: other users of the machine can neither read nor list attachments. */
export const fileMode = 0o600
export const folderMode = 0o700

/** Makes a folder and the folders above it, so that their names survive a power failure. */
export async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: folderMode })
  if (made !== undefined) await syncFolder(dirname(made))
}

/** Makes the names in a folder survive a power failure, as fsync does for the bytes of a file. */
export async function syncFolder(path: string): Promise<void> {
  // Windows does not need this and does not let a folder be opened.
  if (process.platform === 'win32') return
  await using folder = await open(path, 'r')
  await folder.sync()
}

/**
 * Gives a complete file its final name.
 * @throws StowageError `internal` when the name is taken. Two writers of one key are not kept apart here.
 */
export async function publish(partial: string, path: string): Promise<void> {
  if ((await sizeOfFile(path)) !== undefined) throw new StowageError('internal', 'A file was to be stored twice.')
  await rename(partial, path)
  await syncFolder(dirname(path))
}

/** Bytes of the file, or `undefined` when there is none. */
export async function sizeOfFile(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(ignoreAbsent)
  return found?.size
}

/** For `catch`: `undefined` for a file or folder that does not exist. */
export function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** The result of work that stores. @throws StowageError `storage_unavailable` when it fails */
export async function writing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof StowageError ? error : putFailed(error)
  }
}
