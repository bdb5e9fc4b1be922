import type { Attempt, Measured } from '../db/transitions.ts'
import type { Ingested } from './ingest.ts'

/** A file of this upload, on its way to Ready. */
export interface Arriving {
  attempt: Attempt
  objectKey: string
  declaredChecksum: string | undefined
  ingested?: Ingested
}

/** What the move into verification writes down of a file. */
export function measured({ attempt, ingested }: Arriving): Attempt & Measured {
  const { fileSize, fileChecksum } = ingestedOf({ ingested })
  return { id: attempt.id, attempt: attempt.attempt, fileSize, fileChecksum }
}

export function ingestedOf({ ingested }: { ingested?: Ingested | undefined }): Ingested {
  if (ingested === undefined) throw new Error('A file was finished before its last byte was stored')
  return ingested
}
