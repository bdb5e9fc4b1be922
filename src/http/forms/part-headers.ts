import { StowageError } from '../../errors.ts'

const mostHeaders = 32

export interface PartHeaders {
  name: string
  /** As the client sent it, unchecked; `undefined` when the part is no file. */
  fileName: string | undefined
  /** As the client claims it. */
  contentType: string | undefined
}

const token = "[\\w!#$%&'*+.^`|~-]+"
const headerLine = new RegExp(`^(${token}):[ \\t]*([^\\r\\n]*)$`)
const parameter = new RegExp(`;[ \\t]*(${token})=(?:"((?:[^"\\\\]|\\\\.)*)"|([^";\\r\\n]*))[ \\t]*`, 'y')

/**
 * What the headers of a part of a form say (RFC 7578 section 4).
 * @throws StowageError `invalid` when they cannot be read: a part is never passed over, nor taken for another than was sent
 */
export function partHeaders(block: Buffer): PartHeaders {
  const lines = decoded(block).split('\r\n')
  if (lines.length > mostHeaders)
    throw new StowageError('too_large', `A part has more than ${mostHeaders} headers. Send fewer.`)
  const headers = new Map(lines.map(readLine))
  const parameters = readDisposition(headers.get('content-disposition'))
  const name = parameters.get('name')
  if (name === undefined) throw unreadable('Content-Disposition names no field')
  return { name, fileName: fileNameIn(parameters), contentType: headers.get('content-type') }
}

function decoded(block: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(block)
  } catch {
    throw unreadable('they are not valid UTF-8')
  }
}

function readLine(line: string): [string, string] {
  const [, name, value] = headerLine.exec(line) ?? []
  if (name === undefined || value === undefined)
    throw unreadable('a line is no header, perhaps for a line break in a name')
  return [name.toLowerCase(), value]
}

function readDisposition(header: string | undefined): Map<string, string> {
  const [type = ''] = /^[^;]*/.exec(header ?? '') ?? []
  if (header === undefined || type.trim().toLowerCase() !== 'form-data')
    throw unreadable('there is no Content-Disposition: form-data')
  const parameters = new Map<string, string>()
  parameter.lastIndex = type.length
  while (parameter.lastIndex < header.length) {
    const [, name = '', quoted, bare = ''] = parameter.exec(header) ?? []
    if (name === '') throw unreadable('Content-Disposition is broken')
    parameters.set(name.toLowerCase(), quoted === undefined ? bare.trim() : unescaped(quoted))
  }
  return parameters
}

/**
 * Browsers write `"`, CR and LF as %22, %0D and %0A and escape nothing else (HTML Standard, "multipart/form-data encoding
 * algorithm"); older programs put a backslash before `"` and `\`.
 */
function unescaped(quoted: string): string {
  return quoted.replace(/\\(["\\])/g, '$1').replace(/%(22|0D|0A)/gi, (escaped) => decodeURIComponent(escaped))
}

/** RFC 7578 section 4.2 does without `filename*`; programs that send it put the full name there. */
function fileNameIn(parameters: ReadonlyMap<string, string>): string | undefined {
  const [, extended] = /^utf-8'[^']*'(.*)$/i.exec(parameters.get('filename*') ?? '') ?? []
  if (extended === undefined) return parameters.get('filename')
  try {
    return decodeURIComponent(extended)
  } catch {
    throw unreadable('filename* is not valid UTF-8')
  }
}

function unreadable(what: string): StowageError {
  return new StowageError('invalid', `The headers of a part cannot be read: ${what}. Let your HTTP client write them.`)
}
