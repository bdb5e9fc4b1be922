const mebibyte = 1024 * 1024
const smallestPart = 5 * mebibyte
const maxParts = 10_000

/** Bytes from which on a body is worth larger parts. */
const large = 64 * mebibyte
const largePart = 16 * mebibyte

/**
 * Bytes of a part: the least that S3 takes, or as many MiB as it takes to send `maxSize` bytes in the 10,000 parts it
 * allows. Every upload in flight holds a part, so small ones make many uploads cheap.
 */
export function leastPartSize(maxSize: number): number {
  return Math.max(smallestPart, Math.ceil(maxSize / maxParts / mebibyte) * mebibyte)
}

/** Bytes of a part that suits a body of at most `atMost` bytes when memory is no matter: every request costs CPU. */
export function bestPartSize(atMost: number): number {
  return Math.max(leastPartSize(atMost), atMost >= large ? largePart : 0)
}
