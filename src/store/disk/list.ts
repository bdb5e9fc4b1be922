import type { Dirent } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { storeUnavailable } from '#store/errors.ts'
import type { ListEntry, Listing, ListOptions } from '#store/object-store.ts'
import { ignoreAbsent } from './durable.ts'
import { findPartials } from './file.ts'
import { type EntryName, keyOf, type Places, parsePath, pathOfListed } from './names.ts'

const pageSize = 1000

/**
 * Objects, or partial files and multipart sessions; the disk has no versions. Files next to the folders do not
 * belong to the store and are skipped.
 */
export async function* listFiles(
  places: Places,
  listing: Listing,
  { key, signal }: ListOptions,
): AsyncGenerator<ListEntry[], void, undefined> {
  if (listing === 'versions') return
  try {
    if (key !== undefined) return yield await listKey(places, listing, key)
    let page: Found[] = []
    for await (const entry of walk(places.root)) {
      signal.throwIfAborted()
      const found = toFound(places, join(entry.parentPath, entry.name))
      if (!isListed(entry, found.name, listing)) continue
      page.push(found)
      if (page.length < pageSize) continue
      yield await readEntries(page)
      page = []
    }
    yield await readEntries(page)
  } catch (error) {
    throw signal.aborted ? signal.reason : storeUnavailable(error)
  }
}

/** A directory entry and what its name says. */
interface Found {
  path: string
  name: EntryName
  key: string
}

async function listKey(places: Places, listing: Listing, key: string): Promise<ListEntry[]> {
  const path = pathOfListed(places, key)
  const paths = listing === 'objects' ? [path] : await findPartials(path)
  return await readEntries(paths.map((found) => ({ path: found, name: parsePath(found), key })))
}

async function* walk(root: string): AsyncGenerator<Dirent> {
  for await (const folder of await opendir(root))
    if (folder.isDirectory()) yield* await opendir(join(root, folder.name))
}

function toFound(places: Places, path: string): Found {
  const name = parsePath(path)
  return { path, name, key: keyOf(places, name.path) }
}

/** A multipart session is the only folder among the files. */
function isListed(entry: Dirent, { isPartial, uploadId }: EntryName, listing: Listing): boolean {
  if (isPartial !== (listing === 'uploads')) return false
  return uploadId === undefined ? entry.isFile() : entry.isFile() || entry.isDirectory()
}

/** Directory entries that still exist; one removed since the directory was read is skipped. */
async function readEntries(entries: readonly Found[]): Promise<ListEntry[]> {
  const stats = await Promise.all(entries.map(({ path }) => stat(path).catch(ignoreAbsent)))
  return entries.flatMap(({ key, name: { uploadId } }, index) => {
    const found = stats[index]
    if (!found) return []
    return [{ key, storedAt: found.mtime, uploadId, size: found.isFile() ? found.size : undefined }]
  })
}
