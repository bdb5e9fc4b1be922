import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { StowageError } from '#domain/errors.ts'
import { storeUnavailable } from '#store/errors.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { fileMode, folderMode, sizeOfFile } from './durable.ts'
import { removeFile, storeFile } from './file.ts'
import { listFiles } from './list.ts'
import { openDiskMultipart } from './multipart.ts'
import { placesIn } from './names.ts'
import { openFile } from './read.ts'

/**
 * The store in a folder of the local disk, for a laptop or a single machine. It keeps no checksums of objects.
 * @throws StowageError `storage_unavailable` when the folder cannot be made
 */
export async function openDiskStore(directory: string): Promise<ObjectStore> {
  const root = resolve(directory, 'objects')
  await makeRoot(root).catch((error) => refuseFolder(root, error))
  const places = placesIn(root)
  const { pathOf } = places
  return {
    description: `disk folder ${root}`,
    multipart: openDiskMultipart(places),
    put: async (key, body, options) => ({ ...(await storeFile(pathOf(key), body, options)), isConfirmed: false }),
    async head(key) {
      const size = await sizeOfFile(pathOf(key)).catch(refuse)
      return size === undefined ? undefined : { size }
    },
    get: (key, { range, signal }) => openFile(pathOf(key), range, signal),
    remove: (key) => removeFile(pathOf(key)).catch(refuse),
    list: (listing, options) => listFiles(places, listing, options),
    check: () => checkFolder(root),
    async close() {},
  }
}

/**
 * Makes the folder private under any umask of this process: other users of the machine cannot reach even files that were
 * stored with wider modes. A folder of another user keeps the modes that its owner gave it.
 */
async function makeRoot(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: folderMode })
  await chmod(root, folderMode).catch((error) => {
    if (error.code !== 'EPERM') throw error
  })
}

/** Writes and removes a file, because permissions do not show that a disk is full or broken. */
async function checkFolder(root: string): Promise<void> {
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
