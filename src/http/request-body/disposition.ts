import { isUtf8 } from 'node:buffer'
import { StowageError } from '#domain/errors.ts'

/** The parsed Content-Disposition of a part. */
export interface Disposition {
  name: string
  /** The name that the client sent, decoded but not validated; `undefined` without one. */
  fileName: string | undefined
}

const opening = /form-data[ \t]*/iy
const trailing = /;[ \t]*$/y
const parameter = /;[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^";\s]*))[ \t]*/y

/**
 * Parses the Content-Disposition of a part of a form (RFC 7578 section 4.2). `filename*` wins over `filename` at any position,
 * quoted or not (RFC 6266 section 4.3). The value of `filename` is then ignored.
 * @param text the header's value, one character per byte, without line breaks
 * @throws StowageError `invalid`
 */
export function readDisposition(text: string): Disposition {
  const parameters = readParameters(text)
  const name = parameters.get('name')
  if (name === undefined) throw unreadable('there is no valid Content-Disposition: form-data with a name')
  const extended = parameters.get('filename*')
  const plain = parameters.get('filename')
  if (extended !== undefined) return { name: utf8(name), fileName: extendedName(extended) }
  if (plain === undefined && (parameters.has('filename*0') || parameters.has('filename*0*')))
    throw new StowageError('invalid', 'A file name comes in pieces, as in mails (RFC 2231). Send it as one filename*.')
  return { name: utf8(name), fileName: plain === undefined ? undefined : plainName(plain) }
}

/** The parameters by their names in lower case. */
function readParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>()
  opening.lastIndex = 0
  let end = opening.test(text) ? opening.lastIndex : text.length + 1
  while (end < text.length) {
    // Some clients write a semicolon after the last parameter too.
    trailing.lastIndex = end
    if (trailing.test(text)) break
    parameter.lastIndex = end
    const [, name = '', quoted, bare = ''] = parameter.exec(text) ?? []
    if (name === '') throw unreadable('there is no valid Content-Disposition: form-data with a name')
    const key = name.toLowerCase()
    if (parameters.has(key)) throw unreadable('its Content-Disposition says something twice')
    parameters.set(key, quoted === undefined ? bare : unescaped(quoted))
    end = parameter.lastIndex
  }
  return parameters
}

/** Unescapes quotes and backslashes. Before any other character, clients mean a literal backslash. */
function unescaped(quoted: string): string {
  return quoted.replace(/\\(["\\])/g, '$1')
}

/**
 * Decodes `filename`. Browsers and curl escape `"` as %22, CR as %0D and LF as %0A, and nothing else (HTML Standard,
 * "multipart/form-data encoding algorithm"). %0D and %0A stay as they are, because no name may hold CR or LF.
 */
function plainName(text: string): string {
  return utf8(text).replaceAll('%22', '"')
}

/** Decodes `filename*` (RFC 8187 section 3.2) once. */
function extendedName(text: string): string {
  const [charset = '', , ...rest] = text.split("'")
  const value = rest.join("'")
  const isLatin1 = /^iso-8859-1$/i.test(charset)
  if (rest.length === 0 || !(isLatin1 || /^utf-8$/i.test(charset)) || !/^(?:[ -$&-~]|%[0-9a-f]{2})*$/i.test(value))
    throw new StowageError('invalid', "A filename* must read UTF-8''… with the rest percent-encoded (RFC 8187).")
  const bytes = value.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  return isLatin1 ? bytes : utf8(bytes)
}

/** @param bytes one character per byte */
function utf8(bytes: string): string {
  const buffer = Buffer.from(bytes, 'latin1')
  if (!isUtf8(buffer)) throw unreadable('they are not valid UTF-8')
  return buffer.toString()
}

/**
 * The error for the head of a part.
 * @param fault the server's own words without the client's data, since the reason of the failure keeps them
 */
export function unreadable(fault: string): StowageError {
  return new StowageError('invalid', `The headers of a part cannot be read: ${fault}. Let your HTTP client write them.`)
}
