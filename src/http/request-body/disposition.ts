import { isUtf8 } from 'node:buffer'
import { StowageError } from '#domain/errors.ts'

/** What the Content-Disposition of a part says. */
export interface Disposition {
  name: string
  /** As the client sent it, decoded and otherwise unchecked; `undefined` when it sent none. */
  fileName: string | undefined
}

const opening = /form-data[ \t]*/iy
const trailing = /;[ \t]*$/y
const parameter = /;[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^";\s]*))[ \t]*/y

/**
 * Reads the Content-Disposition of a part of a form (RFC 7578 section 4.2). `filename*` wins over `filename`, wherever it
 * stands, with or without quotes (RFC 6266 section 4.3): then what the other holds is not looked at.
 * @param text the header's value, a character for each byte, without line breaks
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

/** By their names in lower case. */
function readParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>()
  opening.lastIndex = 0
  let end = opening.test(text) ? opening.lastIndex : text.length + 1
  while (end < text.length) {
    // Some clients write a semicolon behind the last parameter too.
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

/** Only quotes and backslashes are escaped in file names; before anything else clients mean the backslash itself. */
function unescaped(quoted: string): string {
  return quoted.replace(/\\(["\\])/g, '$1')
}

/**
 * Browsers and curl write `"` in a file name as %22. They write CR and LF as %0D and %0A, which no name may hold and
 * which therefore stay as they are; they escape nothing else (HTML Standard, "multipart/form-data encoding algorithm").
 */
function plainName(text: string): string {
  return utf8(text).replaceAll('%22', '"')
}

/** The value of `filename*` (RFC 8187 section 3.2), decoded once. */
function extendedName(text: string): string {
  const [charset = '', , ...rest] = text.split("'")
  const value = rest.join("'")
  const isLatin1 = /^iso-8859-1$/i.test(charset)
  if (rest.length === 0 || !(isLatin1 || /^utf-8$/i.test(charset)) || !/^(?:[ -$&-~]|%[0-9a-f]{2})*$/i.test(value))
    throw new StowageError('invalid', "A filename* must read UTF-8''… with the rest percent-encoded (RFC 8187).")
  const bytes = value.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  return isLatin1 ? bytes : utf8(bytes)
}

/** @param bytes a character for each */
function utf8(bytes: string): string {
  const buffer = Buffer.from(bytes, 'latin1')
  if (!isUtf8(buffer)) throw unreadable('they are not valid UTF-8')
  return buffer.toString()
}

/** @param what in our own words: it is kept as the reason of a failure */
export function unreadable(what: string): StowageError {
  return new StowageError('invalid', `The headers of a part cannot be read: ${what}. Let your HTTP client write them.`)
}
