import { open, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { abortable } from '#async/abortable.ts'
import { failpoint } from '#failpoints.ts'
import { sizeDiffers } from '#store/errors.ts'
import type { PutOptions, StoredObject } from '#store/object-store.ts'
import { fileMode, ignoreAbsent, makeFolder, publish, syncFolder, writing } from './durable.ts'
import { parsePath, partialOf } from './names.ts'

/**
 * Writes a body into a partial file, which gets its final name when every byte is on the disk: a file at `path` is complete.
 * After a failure the partial file is left for {@link removeFile}. Only one put of a key can have the partial file.
 * @throws the body's own error, the signal's reason, or StowageError `storage_unavailable`
 */
export async function storeFile(
  path: string,
  body: AsyncIterable<Uint8Array>,
  { signal, size: announced }: PutOptions,
): Promise<StoredObject> {
  failpoint('before-put')
  await writing(makeFolder(dirname(path)))
  const size = await writePartial(partialOf(path), body, signal)
  signal.throwIfAborted()
  if (announced !== undefined && size !== announced) throw sizeDiffers(size, announced)
  failpoint('before-complete')
  await writing(publish(partialOf(path), path))
  failpoint('after-put')
  return { size }
}

/**
 * Removes the file, and the partial file and the multipart sessions of its key. The removal survives a power failure.
 * What could become the file goes first.
 */
export async function removeFile(path: string): Promise<void> {
  failpoint('before-object-delete')
  for (const partial of await findPartials(path)) await rm(partial, { recursive: true, force: true })
  await rm(path, { force: true })
  await syncFolder(dirname(path)).catch(ignoreAbsent)
  failpoint('after-object-delete')
}

/** The paths of the partial file and the multipart sessions of an object. */
export async function findPartials(path: string): Promise<string[]> {
  const names = (await readdir(dirname(path)).catch(ignoreAbsent)) ?? []
  return names
    .filter((name) => name.startsWith(basename(path)))
    .map((name) => join(dirname(path), name))
    .filter((found) => {
      const entry = parsePath(found)
      return entry.isPartial && entry.path === path
    })
}

async function writePartial(partial: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
  const file = await writing(open(partial, 'wx', fileMode))
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
