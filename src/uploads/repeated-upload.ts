import { createHash } from 'node:crypto'
import { abortable } from '#async/abortable.ts'
import { StowageError } from '#domain/errors.ts'
import { readyState } from '#domain/states.ts'
import type { ReservedFile } from './incoming-file.ts'
import { ChecksumMismatch } from './verify.ts'

/** Whether a client declares the bytes that are already there, as it does when it sends again after a lost answer. */
export function isRepeat({ attachment, declaredSize, digests }: ReservedFile): boolean {
  const { state, fileSize, fileChecksum, fileChecksumAlgorithm } = attachment
  const declared = digests.find(({ algorithm }) => algorithm === fileChecksumAlgorithm)
  const mayBeSame = declared === undefined ? digests.length > 0 : declared.hex === fileChecksum
  return state === readyState && fileSize === declaredSize && mayBeSame
}

/**
 * Reads repeated bytes to their end and compares them with the attachment, which stays as it is.
 * @throws StowageError `checksum_mismatch` for other bytes than declared, `conflict` for other bytes than are there; `signal`'s
 *   reason
 */
export async function receiveRepeat({ attachment, digests, body }: ReservedFile, signal: AbortSignal): Promise<void> {
  const { fileChecksum, fileChecksumAlgorithm } = attachment
  const algorithms = new Set([fileChecksumAlgorithm, ...digests.map(({ algorithm }) => algorithm)])
  const hashes = new Map([...algorithms].map((algorithm) => [algorithm, createHash(algorithm)]))
  for await (const chunk of abortable(body, signal)) for (const hash of hashes.values()) hash.update(chunk)
  const computed = new Map([...hashes].map(([algorithm, hash]) => [algorithm, hash.digest('hex')]))
  for (const { algorithm, hex } of digests)
    if (computed.get(algorithm) !== hex) throw new ChecksumMismatch(algorithm, hex, computed.get(algorithm))
  if (computed.get(fileChecksumAlgorithm) !== fileChecksum)
    throw new StowageError('conflict', 'Other bytes of this attachment are there. Read it again.')
}
