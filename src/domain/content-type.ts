import { extname } from 'node:path'
import { MIMEType } from 'node:util'
import mime from 'mime-types'
import { StowageError } from './errors.ts'
import { limits } from './limits.ts'

/** The type of a file whose type is not known. */
export const unknownType = 'application/octet-stream'

/** Types of a request's form, not of a file. curl and wget send the second one with every body whose type they do not know. */
const waysToSend = ['multipart/form-data', 'application/x-www-form-urlencoded']

/** Endings whose usual type is another than that in the table of media types. */
const endings: Readonly<Record<string, string>> = { '.jfif': 'image/jpeg' }

/**
 * The media type that is kept of a file: what the client claims, else what the name's ending suggests. A claim is only a
 * claim: nothing is ever shown inline because of it.
 * @throws StowageError `invalid` for a claim that is too long to be one
 */
export function contentTypeFrom(claimed: string | undefined, fileName: string): string {
  if (claimed !== undefined && claimed.length > limits.contentType) throw typeTooLong(claimed.length)
  const type = essence(claimed)
  return type === unknownType ? typeOfEnding(extname(fileName)) : type
}

function typeOfEnding(ending: string): string {
  return endings[ending.toLowerCase()] ?? (mime.lookup(ending) || unknownType)
}

function essence(claimed: string | undefined): string {
  try {
    const { type, subtype } = new MIMEType(claimed ?? unknownType)
    const essence = `${type}/${subtype}`.slice(0, 127)
    return essence.includes('*') || waysToSend.includes(essence) ? unknownType : essence
  } catch {
    return unknownType
  }
}

/** @param length in characters */
export function typeTooLong(length: number): StowageError {
  return new StowageError(
    'invalid',
    `The Content-Type has ${length} characters; at most ${limits.contentType} are taken. Shorten it.`,
  )
}
