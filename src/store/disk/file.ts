import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { abortable } from '#async/abortable.ts'
import { StowageError } from '#domain/errors.ts'
import { failpoint } from '#failpoints.ts'
import { putFailed } from '#store/errors.ts'
import { assertSize } from '#store/exact-size.ts'
import type { PutOptions, StoredObject } from '#store/object-store.ts'

/** Of everything stored: what is somebody's attachment is nobody else's on this machine. */
export const fileMode = 0o600
export const folderMode = 0o700

/**
 * Writes a body into a partial file, which gets its name when every byte is on the disk: what lies at `path` is whole.
 * After a failure the partial file is left for {@link removeFile}.
 * @throws the body's own error, the signal's reason, or StowageError `storage_unavailable`
 */
export async function storeFile(
  path: string,
  body: AsyncIterable<Uint8Array>,
  { signal, size: announced }: PutOptions,
): Promise<StoredObject> {
  failpoint('before-put')
  await writing(makeFolder(dirname(path)))
  const size = await writePartial(path, body, signal)
  signal.throwIfAborted()
  if (announced !== undefined) assertSize(size, announced)
  failpoint('before-complete')
  await writing(publish(path))
  failpoint('after-put')
  return { size }
}

/** Bytes of the file, or `undefined` when there is none. */
export async function sizeOfFile(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(ignoreAbsent)
  return found?.size
}

/** Removes the file and what an unfinished {@link storeFile} left, for good: also when the power fails now. */
export async function removeFile(path: string): Promise<void> {
  failpoint('before-object-delete')
  await rm(partialOf(path), { force: true })
  await rm(path, { force: true })
  await syncFolder(dirname(path)).catch(ignoreAbsent)
  failpoint('after-object-delete')
}

async function writePartial(path: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
  const file = await writing(open(partialOf(path), 'wx', fileMode))
  try {
    let size = 0
    for await (const chunk of abortable(body, signal)) {
      await writing(file.writeFile(chunk))
      size += chunk.length
    }
    await writing(file.sync())
    return size
  } finally {
    await writing(file.close())
  }
}

/** Nobody takes the name between the question and the answer: only whoever made the partial file may. */
async function publish(path: string): Promise<void> {
  if ((await sizeOfFile(path)) !== undefined) throw new StowageError('internal', 'A file was to be stored twice.')
  await rename(partialOf(path), path)
  await syncFolder(dirname(path))
}

async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: folderMode })
  if (made !== undefined) await syncFolder(dirname(made))
}

/** Makes the names in a folder survive a power failure, as fsync does for a file's bytes. */
async function syncFolder(path: string): Promise<void> {
  // Windows neither needs this nor lets a folder be opened.
  if (process.platform === 'win32') return
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** What the name of a partial file ends with. */
export const partialSuffix = '.partial'

function partialOf(path: string): string {
  return path + partialSuffix
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function writing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof StowageError ? error : putFailed(error)
  }
}
