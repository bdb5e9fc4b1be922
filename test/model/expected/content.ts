import { createCipheriv, createHash } from 'node:crypto'
import fc from 'fast-check'

/** Bytes of a file, named by where they lie among bytes that look random and are the same in every run. */
export interface Content {
  offset: number
  size: number
}

const mebibyte = 2 ** 20
const pool = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(16 * mebibyte))

export const bytesOf = ({ offset, size }: Content): Buffer => pool.subarray(offset, offset + size)

const digests = new Map<string, string>()

export function sha256Of(content: Content): string {
  const name = `${content.offset}+${content.size}`
  const known = digests.get(name) ?? createHash('sha256').update(bytesOf(content)).digest('hex')
  digests.set(name, known)
  return known
}

/** Other bytes, as many. */
export const otherThan = ({ offset, size }: Content): Content => ({ offset: offset + mebibyte, size })

/**
 * Mostly short; up to 256 KiB they are collected before they are sent on, above that they stream; a form of more than 5 MiB
 * makes a multipart upload.
 */
export const contents: fc.Arbitrary<Content> = fc.record({
  offset: fc.nat(mebibyte),
  size: fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 12, arbitrary: fc.integer({ min: 1, max: 3000 }) },
    { weight: 4, arbitrary: fc.integer({ min: 200_000, max: 400_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 5 * mebibyte - 1000, max: 6 * mebibyte }) },
  ),
})
