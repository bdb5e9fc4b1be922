import type { Digest } from '#domain/digests.ts'
import { StowageError } from '#domain/errors.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { ingestedOf, type UploadAttempt } from './attempt.ts'

/** The digest of the bytes received differs from the declared one. */
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

/** The stored bytes differ from the bytes sent. Every file of the request has failed. */
export class NotStoredAsSent extends StowageError {
  constructor() {
    super('storage_unavailable', 'The file was not stored as it was sent. Send it again.')
    this.name = 'NotStoredAsSent'
  }
}

/** The store does not respond, so verification is undecided. A worker retries it. */
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

/** Whether the bytes received match the declared digests. True when the client declares none. */
export function isAsDeclared(file: UploadAttempt): boolean {
  return findMismatch(file) === undefined
}

/** Step 3a: compares the digests of the bytes received with the declared ones. @throws ChecksumMismatch */
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
 * Step 3b: whether the size and the checksum that the store reports for the object are those of the bytes sent.
 * @throws VerificationUndecided when the store does not respond
 */
export async function isStoredAsSent(store: ObjectStore, file: UploadAttempt): Promise<boolean> {
  const { fileSize, stored } = ingestedOf(file)
  const found = await store.head(file.objectKey).catch((cause) => {
    throw new VerificationUndecided(cause)
  })
  const sameChecksum = !found?.checksum || !stored.checksum || found.checksum === stored.checksum
  return found?.size === fileSize && sameChecksum
}
