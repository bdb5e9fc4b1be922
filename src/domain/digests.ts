/** A digest that a client declares for the bytes it sends. */
export interface Digest {
  algorithm: string
  /** Lower case. */
  hex: string
}

/** Hex digits of a digest, by algorithm. An attachment's `fileChecksum` has one of these algorithms. */
export const hexDigits = { sha256: 64, md5: 32 }

export type ChecksumAlgorithm = keyof typeof hexDigits
