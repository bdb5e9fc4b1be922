import type { Readable } from 'node:stream'

/**
 * The bytes one request brings to the store. The SDK would take a buffer or a stream as the body; this it passes on
 * untouched, so that `S3Http` opens it anew for every try, and the SDK neither reads, hashes nor copies a byte.
 */
export abstract class Payload {
  /** Bytes, without what an encoding adds. */
  abstract readonly size: number
  /** The headers that describe it; they are signed in its place. */
  abstract readonly headers: Record<string, string>
  /** CRC32 of the bytes, four bytes, big-endian: known when the last one has been sent. */
  abstract readonly checksum: Buffer
  /** @throws Error when it cannot be sent once more */
  abstract open(): Buffer | Readable
}

/** S3's notation for a checksum. */
export function base64Of(checksum: Buffer): string {
  return checksum.toString('base64')
}

/** CRC32 as the four bytes whose base64 is S3's `ChecksumCRC32`. */
export function checksumBytes(crc32: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32)
  return bytes
}

/** A payload where the SDK's types want the body of a request. */
export function asBody(payload: Payload): Readable {
  return payload as unknown as Readable
}
