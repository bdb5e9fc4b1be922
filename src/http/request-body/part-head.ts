import { isUtf8 } from 'node:buffer'
import { MIMEType } from 'node:util'
import { typeTooLong } from '#domain/content-type.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { type Disposition, readDisposition, unreadable } from './disposition.ts'

/** The relevant headers of a part. */
export interface PartHead extends Disposition {
  isFile: boolean
  /** The type that the client claims; `undefined` without one. */
  contentType: string | undefined
}

/** A part of this type is a file even without a file name. */
const bytesType = /^application\/octet-stream(?![^;\s])/i

const header = /^([\w!#$%&'*+.^`|~-]+):[ \t]*/

/**
 * Parses the head of a part of a form.
 * @param head the bytes from the boundary to the blank line
 * @throws StowageError `too_large` for too many or too long headers; `invalid` for a head that cannot be parsed
 */
export function readPartHead(head: Buffer): PartHead {
  if (head.length > limits.partHead) throw headTooLarge()
  const [padding, ...lines] = head
    .toString('latin1')
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  if (lines.length > limits.partHeaders) throw headTooLarge()
  // The line of a boundary may end in whitespace that transport added (RFC 2046 section 5.1.1).
  if (!/^[ \t]*$/.test(padding ?? '')) throw unreadable('a line is no header')
  const headers = readHeaders(lines)
  const disposition = readDisposition(headers.get('content-disposition') ?? '')
  requirePlainTransfer(headers.get('content-transfer-encoding'))
  const contentType = headers.get('content-type')
  if (contentType !== undefined && contentType.length > limits.contentType) throw typeTooLong(contentType.length)
  const isFile = disposition.fileName !== undefined || bytesType.test(contentType ?? '')
  return { ...disposition, isFile, contentType }
}

/** The headers by their names in lower case. */
function readHeaders(lines: string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (const line of lines) {
    if (line.length > limits.partHeaderLine) throw lineTooLong(line.length)
    const [start = '', name = ''] = header.exec(line) ?? []
    if (name === '' || /[\r\n]/.test(line)) throw unreadable('a line is no header')
    const key = name.toLowerCase()
    if (headers.has(key) && key.startsWith('content-')) throw unreadable('one of them comes twice')
    headers.set(key, line.slice(start.length).trim())
  }
  return headers
}

/** RFC 7578 section 4.7 deprecates encodings in a form. */
function requirePlainTransfer(encoding: string | undefined): void {
  if (encoding !== undefined && !['7bit', '8bit', 'binary'].includes(encoding.toLowerCase()))
    throw new StowageError(
      'invalid',
      'A part has a Content-Transfer-Encoding such as base64. Send its bytes as they are (RFC 7578 section 4.7).',
    )
}

export function headTooLarge(): StowageError {
  return new StowageError(
    'too_large',
    `A part has more than ${limits.partHeaders} headers, or ${limits.partHead} bytes of them. Send fewer.`,
  )
}

function lineTooLong(length: number): StowageError {
  return new StowageError(
    'too_large',
    `A header of a part has ${length} bytes, more than the ${limits.partHeaderLine} that are taken. Shorten it: a file name may have ${limits.fileName}.`,
  )
}

/**
 * Decodes the text of a field. The name must be an allowed one, since the error quotes it.
 * @param bytes one character per byte
 * @throws StowageError `invalid` for a field that is not text, has an unknown charset, or is not valid in its charset
 */
export function fieldText({ name, contentType }: Pick<PartHead, 'name' | 'contentType'>, bytes: string): string {
  const type = contentType ? mediaType(contentType) : undefined
  if (contentType && type?.essence !== 'text/plain')
    throw new StowageError('invalid', 'A field has a type other than text/plain. Send it as text, files with a name.')
  const charset = type?.params.get('charset')?.toLowerCase() ?? 'utf-8'
  if (charset === 'iso-8859-1') return bytes
  if (charset !== 'utf-8' && charset !== 'us-ascii')
    throw new StowageError('invalid', 'A field is written in a charset that is not known here. Send it as UTF-8.')
  const buffer = Buffer.from(bytes, 'latin1')
  if (!isUtf8(buffer)) throw new StowageError('invalid', `The field "${name}" is not valid UTF-8. Encode it so.`)
  return buffer.toString()
}

function mediaType(text: string): MIMEType | undefined {
  try {
    return new MIMEType(text)
  } catch {
    return undefined
  }
}
