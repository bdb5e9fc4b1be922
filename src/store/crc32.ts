/** CRC32 as four bytes, big-endian: the checksum of which S3 keeps the base64 as `ChecksumCRC32`. */
export function checksumBytes(crc32: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32)
  return bytes
}

/** A checksum in S3's notation. */
export function base64Of(checksum: Buffer): string {
  return checksum.toString('base64')
}
