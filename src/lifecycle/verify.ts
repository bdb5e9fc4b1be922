import { StowageError } from '../errors.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type Arriving, type Digest, ingestedOf } from './arriving.ts'

/** The digest computed on the way differs from the one the client declared. */
export class ChecksumMismatch extends StowageError {
  constructor(algorithm: string, declared: string, computed: string | undefined) {
    super(
      'checksum_mismatch',
      `The ${algorithm} of the bytes received is ${computed}, not ${declared} as declared. Send the file again.`,
    )
    this.name = 'ChecksumMismatch'
  }
}

/** A client that declares no digest takes what arrived as it is. */
export function isAsDeclared(file: Arriving): boolean {
  return findMismatch(file) === undefined
}

/** Step 3a: what arrived is what the client declared. @throws ChecksumMismatch */
export function verifyDeclared(file: Arriving): void {
  const mismatch = findMismatch(file)
  if (mismatch) throw new ChecksumMismatch(mismatch.algorithm, mismatch.hex, mismatch.computed)
}

function findMismatch(file: Arriving): (Digest & { computed: string | undefined }) | undefined {
  const { digests } = ingestedOf(file)
  return file.declaredDigests
    .map((declared) => ({ ...declared, computed: digests[declared.algorithm] }))
    .find(({ hex, computed }) => hex !== computed)
}

/**
 * Step 3b: the finished object, as the store reports it, has the size and the checksum of what was sent to it.
 * @throws StowageError `storage_unavailable` when it differs, is missing, or the store does not answer
 */
export async function verifyStored(store: ObjectStore, file: Arriving): Promise<void> {
  const { fileSize, stored } = ingestedOf(file)
  const found = await store.head(file.objectKey)
  const sameChecksum = !found?.checksum || !stored.checksum || found.checksum === stored.checksum
  if (found?.size !== fileSize || !sameChecksum)
    throw new StowageError('storage_unavailable', 'The file was not stored as it was sent. Send it again.', {
      cause: { expected: { size: fileSize, checksum: stored.checksum }, found },
    })
}
