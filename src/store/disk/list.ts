import type { Dirent } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { storeUnavailable } from '#store/errors.ts'
import type { ListEntry, Listing, ListOptions } from '#store/object-store.ts'
import { partialSuffix } from './file.ts'

/** Where files lie. */
export interface Places {
  root: string
  /** The path of the file of a key. */
  pathOf(key: string): string
}

const pageSize = 1000

/** The files that are whole, or the partial ones; there are no versions. Loose files beside the folders are none of ours. */
export async function* listFiles(
  places: Places,
  listing: Listing,
  { key, signal }: ListOptions,
): AsyncGenerator<ListEntry[], void, undefined> {
  if (listing === 'versions') return
  const suffix = listing === 'uploads' ? partialSuffix : ''
  try {
    if (key !== undefined) return yield await look([{ key, path: pathOfListed(places, key) + suffix }])
    let page: Place[] = []
    for await (const file of walk(places.root)) {
      signal.throwIfAborted()
      if (!file.isFile() || file.name.endsWith(partialSuffix) !== (suffix !== '')) continue
      page.push(placeOf(places, file, suffix))
      if (page.length < pageSize) continue
      yield await look(page)
      page = []
    }
    yield await look(page)
  } catch (error) {
    throw signal.aborted ? signal.reason : storeUnavailable(error)
  }
}

interface Place {
  key: string
  path: string
}

async function* walk(root: string): AsyncGenerator<Dirent> {
  for await (const folder of await opendir(root))
    if (folder.isDirectory()) yield* await opendir(join(root, folder.name))
}

/** How the names begin of what is no object: no key does. */
const stranger = './'

/** A file that does not lie where its key would is somebody else's, and goes by its path. */
function placeOf({ root, pathOf }: Places, { name, parentPath }: Dirent, suffix: string): Place {
  const path = join(parentPath, name)
  const unsuffixed = path.slice(0, path.length - suffix.length)
  const key = basename(unsuffixed).replaceAll('-', '/')
  return { key: pathOf(key) === unsuffixed ? key : stranger + unsuffixed.slice(root.length + 1), path }
}

function pathOfListed({ root, pathOf }: Places, key: string): string {
  return key.startsWith(stranger) ? join(root, key) : pathOf(key)
}

/** What is there of what was there a moment ago. */
async function look(places: readonly Place[]): Promise<ListEntry[]> {
  const seen = await Promise.all(places.map(({ path }) => stat(path).catch(ignoreAbsent)))
  return places.flatMap(({ key }, index) => {
    const file = seen[index]
    return file ? [{ key, storedAt: file.mtime, size: file.size }] : []
  })
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
