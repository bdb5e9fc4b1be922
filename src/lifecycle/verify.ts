import { StowageError } from '../errors.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { Ingested } from './ingest.ts'

/** The digest computed on the way differs from the one the client declared. */
export class ChecksumMismatch extends StowageError {
  constructor(algorithm: string, declared: string, computed: string) {
    super(
      'checksum_mismatch',
      `The ${algorithm} of the bytes received is ${computed}, not ${declared} as declared. Send the file again.`,
    )
    this.name = 'ChecksumMismatch'
  }
}

/** A client that declares no digest takes what arrived as it is. */
export function isAsDeclared(declared: string | undefined, { fileChecksum }: Ingested): boolean {
  return declared === undefined || declared.toLowerCase() === fileChecksum
}

/** Step 3a: what arrived is what the client declared. @throws ChecksumMismatch */
export function verifyDeclared(algorithm: string, declared: string | undefined, ingested: Ingested): void {
  if (declared !== undefined && !isAsDeclared(declared, ingested))
    throw new ChecksumMismatch(algorithm, declared, ingested.fileChecksum)
}

/**
 * Step 3b: the finished object, as the store reports it, has the size and the checksum of what was sent to it.
 * @throws StowageError `storage_unavailable` when it differs, is missing, or the store does not answer
 */
export async function verifyStored(
  store: ObjectStore,
  objectKey: string,
  { fileSize, stored }: Ingested,
): Promise<void> {
  const found = await store.head(objectKey)
  const sameChecksum = !found?.checksum || !stored.checksum || found.checksum === stored.checksum
  if (found?.size !== fileSize || !sameChecksum)
    throw new StowageError('storage_unavailable', 'The file was not stored as it was sent. Send it again.', {
      cause: { expected: { size: fileSize, checksum: stored.checksum }, found },
    })
}
