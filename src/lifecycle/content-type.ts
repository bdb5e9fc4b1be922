import { extname } from 'node:path'
import { MIMEType } from 'node:util'
import mime from 'mime-types'

/** Says nothing of a file. */
export const unknownType = 'application/octet-stream'

/**
 * The media type that is kept of a file: what the client claims, else what the name's ending suggests. A claim is only a
 * claim: nothing is ever shown inline because of it.
 */
export function contentTypeFrom(claimed: string | undefined, fileName: string): string {
  const type = essence(claimed)
  return type === unknownType ? mime.lookup(extname(fileName)) || unknownType : type
}

function essence(claimed: string | undefined): string {
  try {
    const { type, subtype } = new MIMEType(claimed ?? unknownType)
    return `${type}/${subtype}`.slice(0, 127)
  } catch {
    return unknownType
  }
}
