import { maxParts } from '#store/part-rules.ts'

const mebibyte = 1024 * 1024

/** The least number of bytes of a part that is not the last (S3: "Amazon S3 multipart upload limits"). */
export const minimumPartSize = 5 * mebibyte

/** Bytes from which on an upload is worth larger parts, and the bytes of these. */
const large = 64 * mebibyte
const largePart = 16 * mebibyte

/**
 * Bytes of a part: the least that S3 allows, or as many MiB as an upload of `maxSize` bytes needs to fit in 10,000 parts.
 * Every upload in progress holds a part, so small parts make many uploads cheap.
 */
export function leastPartSize(maxSize: number): number {
  return Math.max(minimumPartSize, Math.ceil(maxSize / maxParts / mebibyte) * mebibyte)
}

/** Bytes of a part for a body of at most `atMost` bytes when memory is plentiful: every request costs CPU. */
export function bestPartSize(atMost: number): number {
  return Math.max(leastPartSize(atMost), atMost >= large ? largePart : 0)
}
