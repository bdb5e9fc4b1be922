import { createHmac, timingSafeEqual } from 'node:crypto'
import { encodePathSegment } from '#domain/percent-encoding.ts'

export interface SignedFile {
  publicId: string
  fileName: string
  /** Unix seconds. */
  expires: number
  /** How often the attachment had been renamed; 0 unless given. */
  linkVersion?: number | undefined
}

/**
 * The address of a file that works without headers until it expires, ending in the file's name before the query:
 * `/files/:id/:filename?expires=…&signature=…`, with `&version=…` once it has been renamed. Minted for each answer, never stored.
 */
export function signedFilePath(key: string, file: SignedFile): string {
  const { expires, linkVersion = 0 } = file
  const version = linkVersion === 0 ? '' : `&version=${linkVersion}`
  return `${filePath(file)}?expires=${expires}${version}&signature=${signature(key, file)}`
}

/** The same address without a signature, for users who may know of the file and not read it. */
export function filePath({ publicId, fileName }: Pick<SignedFile, 'publicId' | 'fileName'>): string {
  return `/files/${publicId}/${encodePathSegment(fileName)}`
}

/** Whether the signature was made, with one of the keys, for just these fields. Whether it has expired is another question. */
export function isSignatureOf(keys: readonly string[], file: SignedFile, given: string): boolean {
  const actual = Buffer.from(given)
  return keys.some((key) => {
    const expected = Buffer.from(signature(key, file))
    return actual.length === expected.length && timingSafeEqual(actual, expected)
  })
}

/**
 * When a link that is made now ends, in Unix seconds: `seconds` from now, rounded up to a window of a quarter of that. So the
 * same link is given for a while, and what a browser keeps of it is found again.
 * @param now milliseconds since 1970, by the database's clock
 */
export function endOfLink(now: number, seconds: number): number {
  const window = Math.max(1, Math.floor(seconds / 4))
  return Math.ceil((Math.floor(now / 1000) + seconds) / window) * window
}

/** HMAC-SHA-256, in base64url. The name comes last, behind numbers, and so cannot run into another field. */
function signature(key: string, { publicId, fileName, expires, linkVersion = 0 }: SignedFile): string {
  return createHmac('sha256', key).update(`${publicId}\n${expires}\n${linkVersion}\n${fileName}`).digest('base64url')
}
