import { createHmac, timingSafeEqual } from 'node:crypto'

export interface SignedFile {
  publicId: string
  fileName: string
  /** Unix seconds. */
  expires: number
}

/**
 * The address of a file that works without headers until it expires, ending in the file's name before the query:
 * `/files/:id/:filename?expires=…&signature=…`. Minted for each answer, never stored.
 */
export function signedFilePath(key: string, file: SignedFile): string {
  const path = `/files/${file.publicId}/${encodeURIComponent(file.fileName)}`
  return `${path}?expires=${file.expires}&signature=${signature(key, file)}`
}

/** Whether the signature was made for just this id, name and expiry. Whether it has expired is another question. */
export function isSignatureOf(key: string, file: SignedFile, given: string): boolean {
  const expected = Buffer.from(signature(key, file))
  const actual = Buffer.from(given)
  return actual.length === expected.length && timingSafeEqual(actual, expected)
}

/** HMAC-SHA-256 over id, expiry and name, in base64url. The name comes last and so cannot run into another field. */
function signature(key: string, { publicId, fileName, expires }: SignedFile): string {
  return createHmac('sha256', key).update(`${publicId}\n${expires}\n${fileName}`).digest('base64url')
}
