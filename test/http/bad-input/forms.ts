import type { Socket } from 'node:net'
import { fieldHeaders, fileHeaders, multipartBody, newBoundary, openRequest, readAnswer } from '../../kit/multipart.ts'
import type { Answer, Surface } from './surfaces.ts'

export interface Part {
  headers: string
  body: string | Buffer
}

/** A request as it goes over the wire. */
export interface RawForm {
  headers: Record<string, string>
  body: Buffer
}

/** A whole, correct form of these parts, whatever they are. */
export function formOf(...parts: Part[]): RawForm {
  const boundary = newBoundary()
  return { headers: typeOf(boundary), body: multipartBody(boundary, parts) }
}

/** A form of which only a beginning was written: `rest` comes where the closing boundary should. */
export function unfinishedForm(parts: Part[], rest: (boundary: string) => string = () => ''): RawForm {
  const boundary = newBoundary()
  const body = Buffer.concat([multipartBody(boundary, parts, false), Buffer.from(rest(boundary))])
  return { headers: typeOf(boundary), body }
}

/** The same form in chunked transfer coding: its length is not told. */
export function chunked({ headers, body }: RawForm): RawForm {
  const size = 64 * 1024
  const chunks = Array.from({ length: Math.ceil(body.length / size) }, (_, index) => {
    const chunk = body.subarray(index * size, (index + 1) * size)
    return [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]
  })
  return {
    headers: { ...headers, 'transfer-encoding': 'chunked' },
    body: Buffer.concat([...chunks.flat(), Buffer.from('0\r\n\r\n')]),
  }
}

/** A file under the surface's own name for it. */
export function filePart({ fileField }: Surface, body: string | Buffer = 'content', fileName = 'a.txt'): Part {
  return { headers: fileHeaders(fileField, fileName), body }
}

export function fieldPart(name: string, body: string | Buffer = 'value'): Part {
  return { headers: fieldHeaders(name), body }
}

export function typeOf(boundary: string): Record<string, string> {
  return { 'content-type': `multipart/form-data; boundary=${boundary}` }
}

/** Sends the beginning of a request whose Content-Length says that `missing` more bytes follow. */
export function begin(url: string, path: string, { headers, body }: RawForm, missing: number): Socket {
  const length = { 'content-length': body.length + missing }
  const socket = openRequest(url, 'POST', path, { connection: 'close', ...length, ...headers })
  // What the test is about is read from the answer.
  socket.on('error', () => {})
  socket.write(body)
  return socket
}

/** Sends a request, with its length unless it is chunked, and reads the answer, up to where the server closes the connection. */
export async function send(url: string, method: string, path: string, { headers, body }: RawForm): Promise<Answer> {
  const hasLength = body.length > 0 && !('transfer-encoding' in headers)
  const length = hasLength ? { 'content-length': body.length } : {}
  const socket = openRequest(url, method, path, { connection: 'close', ...length, ...headers })
  const answer = readAnswer(socket)
  socket.write(body)
  return answer
}

export function post(url: string, path: string, form: RawForm): Promise<Answer> {
  return send(url, 'POST', path, form)
}
