import { randomUUID } from 'node:crypto'
import { chmod, mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import { StowageError } from '#domain/errors.ts'
import { objectNotFound, storeUnavailable } from '#store/errors.ts'
import type { ByteRange, ObjectStore } from '#store/object-store.ts'
import { fileMode, folderMode, removeFile, sizeOfFile, storeFile } from './file.ts'
import { listFiles } from './list.ts'
import { readFileRange } from './read.ts'

/**
 * The store in a folder of the local disk, for a laptop or a single machine. It keeps no checksums.
 * @throws StowageError `storage_unavailable` when the folder cannot be made
 */
export async function openDiskStore(directory: string): Promise<ObjectStore> {
  const root = resolve(directory, 'objects')
  await makeRoot(root).catch((error) => refuseFolder(root, error))
  const pathOf = (key: string) => {
    const name = key.slice(key.lastIndexOf('/') + 1)
    return join(root, name.slice(0, 2), key.replaceAll('/', '-'))
  }
  return {
    description: `disk folder ${root}`,
    put: async (key, body, options) => ({ ...(await storeFile(pathOf(key), body, options)), isConfirmed: false }),
    async head(key) {
      const size = await sizeOfFile(pathOf(key)).catch(refuse)
      return size === undefined ? undefined : { size }
    },
    get: (key, { range, signal }) => openFile(pathOf(key), range, signal),
    remove: (key) => removeFile(pathOf(key)).catch(refuse),
    list: (listing, options) => listFiles({ root, pathOf }, listing, options),
    check: () => probe(root),
    async close() {},
  }
}

/**
 * Nobody else on the machine may look in, whatever umask this process has. Closing the root closes also what was stored with
 * wider modes; a root of somebody else's keeps those that its owner gave it.
 */
async function makeRoot(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: folderMode })
  await chmod(root, folderMode).catch((error) => {
    if (error.code !== 'EPERM') throw error
  })
}

async function openFile(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted()
  const file = await open(path).catch((error) => {
    throw error.code === 'ENOENT' ? objectNotFound(error) : storeUnavailable(error)
  })
  try {
    const { size } = await file.stat()
    const { first, last } = range ?? { first: 0, last: size - 1 }
    if (last >= size) throw new Error(`The file has ${size} bytes, ${last + 1} were expected`)
    return addAbortSignal(signal, readFileRange(file, { first, last }))
  } catch (error) {
    await file.close()
    return refuse(error)
  }
}

/** Writes and removes a file: asking for permissions says nothing of a disk that is full or broken. */
async function probe(root: string): Promise<void> {
  const path = join(root, `check-${randomUUID()}`)
  try {
    await writeFile(path, 'Stowage', { flag: 'wx', mode: fileMode })
    await rm(path)
  } catch (error) {
    refuseFolder(root, error)
  }
}

function refuse(error: unknown): never {
  throw storeUnavailable(error)
}

function refuseFolder(root: string, cause: unknown): never {
  const { code } = cause as NodeJS.ErrnoException
  const message = `The folder ${root} cannot be written (${code}): correct DATA_DIR, its permissions or its disk.`
  throw new StowageError('storage_unavailable', message, { cause })
}
