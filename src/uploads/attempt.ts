import type { Attempt, TransitionPatch } from '#persistence/transitions.ts'
import type { Ingested } from './ingest.ts'

/** A digest that a client declares of the bytes it sends. */
export interface Digest {
  algorithm: string
  /** Lower case. */
  hex: string
}

/** An attempt that has begun: its key is committed, and its bytes are on their way to Ready. */
export interface UploadAttempt {
  attempt: Attempt
  objectKey: string
  /** Of the attachment's own checksum. */
  algorithm: string
  /** Bytes, when the client said so. */
  declaredSize: number | undefined
  declaredDigests: readonly Digest[]
  ingested?: Ingested
}

/** What has to be computed on the way: the attachment's own checksum, and whatever else was declared. */
export function algorithmsOf({ algorithm, declaredDigests }: UploadAttempt): string[] {
  return [...new Set([algorithm, ...declaredDigests.map((digest) => digest.algorithm)])]
}

/** What the move into verification writes down of a file. */
export function measurementOf(file: UploadAttempt): Attempt & TransitionPatch {
  const { fileSize, digests } = ingestedOf(file)
  return { ...file.attempt, fileSize, fileChecksum: digests[file.algorithm] }
}

export function ingestedOf({ ingested }: UploadAttempt): Ingested {
  if (ingested === undefined) throw new Error('A file was finished before its last byte was stored')
  return ingested
}
