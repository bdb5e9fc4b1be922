import { basename, join } from 'node:path'

/** Names of files, for a store in one folder. */
export interface Places {
  root: string
  /** The path of the object of a key. */
  pathOf(key: string): string
}

/**
 * An object is `objects/xx/key`, with `-` for each `/` of the key and the first two characters of its last segment as the
 * folder. Keys contain neither `-` nor `.`.
 */
export function placesIn(root: string): Places {
  return {
    root,
    pathOf(key) {
      const name = key.slice(key.lastIndexOf('/') + 1)
      return join(root, name.slice(0, 2), key.replaceAll('/', '-'))
    },
  }
}

const partialSuffix = '.partial'

/** The path at which an object is collected. @param uploadId of the multipart session, where it is one */
export function partialOf(path: string, uploadId?: string): string {
  return (uploadId === undefined ? path : `${path}.${uploadId}`) + partialSuffix
}

/** A name split into the name of the object and what the rest says. */
export interface EntryName {
  /** The path of the object. */
  path: string
  isPartial: boolean
  uploadId: string | undefined
}

/** Splits the path of an object, of a partial file or of a multipart session. */
export function parsePath(path: string): EntryName {
  const { object = '', uploadId } =
    /^(?<object>.*?)(?:\.(?<uploadId>[0-9a-f]{32}))?\.partial$/s.exec(path)?.groups ?? {}
  return object === '' ? { path, isPartial: false, uploadId: undefined } : { path: object, isPartial: true, uploadId }
}

/** How the keys begin of entries that are not the store's own. No key of an object begins like this. */
const foreignPrefix = './'

/** The key of a path; a path that no key has goes by its own name. */
export function keyOf({ root, pathOf }: Places, path: string): string {
  const key = basename(path).replaceAll('-', '/')
  return pathOf(key) === path ? key : foreignPrefix + path.slice(root.length + 1)
}

/** The path of a key, or of the name that {@link keyOf} gives to a foreign entry. */
export function pathOfListed({ root, pathOf }: Places, key: string): string {
  return key.startsWith(foreignPrefix) ? join(root, key) : pathOf(key)
}
