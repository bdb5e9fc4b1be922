import { StowageError } from '#domain/errors.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { type Digest, ingestedOf, type UploadAttempt } from './attempt.ts'

/** The digest computed on the way differs from the one the client declared. */
export class ChecksumMismatch extends StowageError {
  constructor(algorithm: string, declared: string, computed: string | undefined) {
    super(
      'checksum_mismatch',
      `The ${algorithm} of the bytes received is ${computed}, not ${declared} as declared. Send the file again.`,
      { reason: `The ${algorithm} of the bytes received is not the same as declared. Send the file again.` },
    )
    this.name = 'ChecksumMismatch'
  }
}

/** The store does not say what it holds: whether a file is whole cannot be decided now. A worker asks again. */
export class VerificationUndecided extends StowageError {
  constructor(cause: unknown) {
    super(
      'storage_unavailable',
      'The file has arrived, but the store does not answer, so it is not verified yet. The server tries again: read the attachment in a moment, and send it again only if it has failed.',
      { cause },
    )
    this.name = 'VerificationUndecided'
  }
}

/** A client that declares no digest takes what arrived as it is. */
export function isAsDeclared(file: UploadAttempt): boolean {
  return findMismatch(file) === undefined
}

/** Step 3a: what arrived is what the client declared. @throws ChecksumMismatch */
export function verifyDeclared(file: UploadAttempt): void {
  const mismatch = findMismatch(file)
  if (mismatch) throw new ChecksumMismatch(mismatch.algorithm, mismatch.hex, mismatch.computed)
}

function findMismatch(file: UploadAttempt): (Digest & { computed: string | undefined }) | undefined {
  const { digests } = ingestedOf(file)
  return file.declaredDigests
    .map((declared) => ({ ...declared, computed: digests[declared.algorithm] }))
    .find(({ hex, computed }) => hex !== computed)
}

/**
 * Step 3b: whether the finished object, as the store reports it, has the size and the checksum of what was sent to it.
 * @throws VerificationUndecided when the store does not answer
 */
export async function isStoredAsSent(store: ObjectStore, file: UploadAttempt): Promise<boolean> {
  const { fileSize, stored } = ingestedOf(file)
  const found = await store.head(file.objectKey).catch((cause) => {
    throw new VerificationUndecided(cause)
  })
  const sameChecksum = !found?.checksum || !stored.checksum || found.checksum === stored.checksum
  return found?.size === fileSize && sameChecksum
}
