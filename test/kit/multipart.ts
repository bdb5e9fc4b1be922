import { randomBytes } from 'node:crypto'

/** Headers and body of a request as they go over the wire. */
export interface RawBody {
  headers: Record<string, string>
  body: Buffer
}

export interface Part {
  headers: string
  body: string | Buffer
}

/** A `multipart/form-data` body written by hand, for what a well-behaved client would never send. */
export function multipartBody(boundary: string, parts: Part[], end = true): Buffer {
  const pieces = parts.flatMap(({ headers, body }) => [
    Buffer.from(`--${boundary}\r\n${headers}\r\n\r\n`),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...pieces, Buffer.from(end ? `--${boundary}--\r\n` : '')])
}

/** The headers of a file's part, with the name as it stands. */
export function fileHeaders(field: string, fileName: string, type = 'application/octet-stream'): string {
  return `Content-Disposition: form-data; name="${field}"; filename="${fileName}"\r\nContent-Type: ${type}`
}

export function fieldHeaders(field: string): string {
  return `Content-Disposition: form-data; name="${field}"`
}

/** A file in the field that an API takes files in. */
export function filePart(
  { fileField }: { fileField: string },
  body: string | Buffer = 'content',
  fileName = 'a.txt',
): Part {
  return { headers: fileHeaders(fileField, fileName), body }
}

export function fieldPart(name: string, body: string | Buffer = 'value'): Part {
  return { headers: fieldHeaders(name), body }
}

/** A boundary that no body holds. */
export function newBoundary(): string {
  return `----stowage${randomBytes(12).toString('hex')}`
}

export function typeOf(boundary: string): Record<string, string> {
  return { 'content-type': `multipart/form-data; boundary=${boundary}` }
}

/** A whole, correct form of these parts, whatever they are. */
export function formOf(...parts: Part[]): RawBody {
  const boundary = newBoundary()
  return { headers: typeOf(boundary), body: multipartBody(boundary, parts) }
}

/** A form of which only a beginning was written: `rest` comes where the closing boundary should. */
export function unfinishedForm(parts: Part[], rest: (boundary: string) => string = () => ''): RawBody {
  const boundary = newBoundary()
  const body = Buffer.concat([multipartBody(boundary, parts, false), Buffer.from(rest(boundary))])
  return { headers: typeOf(boundary), body }
}

/** The same body in chunked transfer coding, which does not tell its length. @param size the bytes of a chunk */
export function chunked({ headers, body }: RawBody, size = 64 * 1024): RawBody {
  const chunks = Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
    chunkOf(body.subarray(index * size, (index + 1) * size)),
  )
  return { headers: { ...headers, 'transfer-encoding': 'chunked' }, body: Buffer.concat([...chunks, lastChunk]) }
}

/** A chunk of RFC 9112, section 7.1. */
export function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

export const lastChunk = Buffer.from('0\r\n\r\n')
