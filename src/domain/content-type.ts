import { extname } from 'node:path'
import { MIMEType } from 'node:util'
import mime from 'mime-types'
import { StowageError } from './errors.ts'
import { limits } from './limits.ts'

/** The media type of a file of unknown type. */
export const unknownType = 'application/octet-stream'

/** Media types of a request's form, not of a file. curl and wget send the second one with every body of unknown type. */
const formTypes = ['multipart/form-data', 'application/x-www-form-urlencoded']

/** Extensions whose usual type differs from the table of media types. */
const typeOverrides: Readonly<Record<string, string>> = { '.jfif': 'image/jpeg' }

/**
 * The media type stored for a file: the client's claim, otherwise the type that the name's extension suggests. The claim
 * is not trusted: no file is shown inline because of it.
 * @throws StowageError `invalid` for a claim of more than `limits.contentType` characters
 */
export function contentTypeFrom(claimed: string | undefined, fileName: string): string {
  if (claimed !== undefined && claimed.length > limits.contentType) throw typeTooLong(claimed.length)
  const type = essence(claimed)
  return type === unknownType ? typeOfExtension(extname(fileName)) : type
}

function typeOfExtension(extension: string): string {
  return typeOverrides[extension.toLowerCase()] ?? (mime.lookup(extension) || unknownType)
}

function essence(claimed: string | undefined): string {
  try {
    const { type, subtype } = new MIMEType(claimed ?? unknownType)
    const essence = `${type}/${subtype}`.slice(0, 127)
    return essence.includes('*') || formTypes.includes(essence) ? unknownType : essence
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
