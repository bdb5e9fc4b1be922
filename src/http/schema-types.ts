import { Type } from 'typebox'
import { limits } from '#domain/limits.ts'

// Every string that a route takes has one of these types: a longer one is refused before anything reads it.

/** A part of an address. The router takes none that is longer and answers 404, as for anything that is not there. */
export const PathPart = Type.String({ maxLength: limits.pathPart })

/** A value in a query. Only the limit of the address bounds it: an id that names nothing is 404, however long. */
export const QueryText = Type.String({ maxLength: limits.address })

/** A file name as a client sends it. What it may be in the end, `fileNameFrom` decides. */
export const SentFileName = Type.String({ maxLength: limits.sentFileName })

/** A media type that a client claims. */
export const ClaimedType = Type.String({ maxLength: limits.contentType })

/** Any other text. */
export function text(options: { description?: string } = {}) {
  return Type.String({ ...options, maxLength: limits.text })
}
