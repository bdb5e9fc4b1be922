/** A digest that a client declares of the bytes it sends. */
export interface Digest {
  algorithm: string
  /** Lower case. */
  hex: string
}

/** Hex digits of a digest, by the algorithm that an attachment's own checksum may have. */
export const hexDigits = { sha256: 64, md5: 32 }

export type ChecksumAlgorithm = keyof typeof hexDigits
