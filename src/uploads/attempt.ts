import type { Digest } from '#domain/digests.ts'
import type { Attempt } from '#persistence/schema.ts'
import type { TransitionPatch } from '#persistence/transitions.ts'
import type { Ingested } from './ingest.ts'

/** The reason in the history of a file that enters verification. */
export const lastByteStored = 'The last byte was stored.'

/** An attempt that has started. Its object key is committed. */
export interface UploadAttempt {
  attempt: Attempt
  objectKey: string
  /** The algorithm of the attachment's own checksum. */
  algorithm: string
  /** In bytes, when the client declared the size. */
  declaredSize: number | undefined
  declaredDigests: readonly Digest[]
  ingested?: Ingested
}

/** The digest algorithms to compute while the bytes arrive: the attachment's own and those of the declared digests. */
export function algorithmsOf({ algorithm, declaredDigests }: UploadAttempt): string[] {
  return [...new Set([algorithm, ...declaredDigests.map((digest) => digest.algorithm)])]
}

/** The attempt with the measured size and checksum, for the transition into verification. */
export function measurementOf(file: UploadAttempt): Attempt & TransitionPatch {
  const { fileSize, digests } = ingestedOf(file)
  return { ...file.attempt, fileSize, fileChecksum: digests[file.algorithm] }
}

/** @throws Error before the last byte is stored, which is a bug */
export function ingestedOf({ ingested }: UploadAttempt): Ingested {
  if (ingested === undefined) throw new Error('A file was finished before its last byte was stored')
  return ingested
}
