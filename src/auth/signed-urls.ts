import { createHmac, timingSafeEqual } from 'node:crypto'
import { encodePathSegment } from '#domain/percent-encoding.ts'

export interface SignedFile {
  publicId: string
  fileName: string
  /** Unix seconds. */
  expires: number
  /** Number of renames of the attachment at the time of signing. Default: 0. */
  linkVersion?: number | undefined
}

/**
 * The path of a file that grants a download without headers until it expires: `/files/:id/:filename?expires=…&signature=…`, with
 * `&version=…` after a rename. Each response gets new signatures; none is stored.
 */
export function signedFilePath(key: string, file: SignedFile): string {
  const { expires, linkVersion = 0 } = file
  const version = linkVersion === 0 ? '' : `&version=${linkVersion}`
  return `${filePath(file)}?expires=${expires}${version}&signature=${signature(key, file)}`
}

/** The path of a file without a signature, for users who may see the file's metadata but not read its bytes. */
export function filePath({ publicId, fileName }: Pick<SignedFile, 'publicId' | 'fileName'>): string {
  return `/files/${publicId}/${encodePathSegment(fileName)}`
}

/** Whether one of the keys made the signature for exactly these fields. The expiry is not checked. */
export function isSignatureOf(keys: readonly string[], file: SignedFile, given: string): boolean {
  const givenBytes = Buffer.from(given)
  return keys.some((key) => {
    const expected = Buffer.from(signature(key, file))
    return givenBytes.length === expected.length && timingSafeEqual(givenBytes, expected)
  })
}

/**
 * The expiry of a link made at `now`, in Unix seconds: `seconds` later, rounded up to a multiple of a quarter of `seconds`. The
 * rounding repeats the same link for a while, so that a browser's cache entry is found again.
 * @param now milliseconds since 1970, by the database's clock
 */
export function endOfLink(now: number, seconds: number): number {
  const window = Math.max(1, Math.floor(seconds / 4))
  return Math.ceil((Math.floor(now / 1000) + seconds) / window) * window
}

/** HMAC-SHA-256 in base64url. The name comes last, after the numbers, so it cannot run into another field. */
function signature(key: string, { publicId, fileName, expires, linkVersion = 0 }: SignedFile): string {
  return createHmac('sha256', key).update(`${publicId}\n${expires}\n${linkVersion}\n${fileName}`).digest('base64url')
}
