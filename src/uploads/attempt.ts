import type { Digest } from '#domain/digests.ts'
import type { Attempt } from '#persistence/schema.ts'
import type { TransitionPatch } from '#persistence/transitions.ts'
import type { Ingested } from './ingest.ts'

/** The reason in the history of a file that enters verification. */
export const lastByteStored = 'The last byte was stored.'

/** An attempt that has started: its object key is committed, and its bytes are on their way to Ready. */
export interface UploadAttempt {
  attempt: Attempt
  objectKey: string
  /** The algorithm of the attachment's own checksum. */
  algorithm: string
  /** Bytes, when the client declared them. */
  declaredSize: number | undefined
  declaredDigests: readonly Digest[]
  ingested?: Ingested
}

/** The digests to compute while the bytes arrive: the attachment's own checksum, and every declared one. */
export function algorithmsOf({ algorithm, declaredDigests }: UploadAttempt): string[] {
  return [...new Set([algorithm, ...declaredDigests.map((digest) => digest.algorithm)])]
}

/** The attempt with its measured size and checksum, as the transition into verification records them. */
export function measurementOf(file: UploadAttempt): Attempt & TransitionPatch {
  const { fileSize, digests } = ingestedOf(file)
  return { ...file.attempt, fileSize, fileChecksum: digests[file.algorithm] }
}

/** @throws Error before the last byte is stored: a fault of ours */
export function ingestedOf({ ingested }: UploadAttempt): Ingested {
  if (ingested === undefined) throw new Error('A file was finished before its last byte was stored')
  return ingested
}
