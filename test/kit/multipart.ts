import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'

/** A `multipart/form-data` body written by hand, for what a well-behaved client would never send. */
export function multipartBody(
  boundary: string,
  parts: { headers: string; body: string | Buffer }[],
  end = true,
): Buffer {
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

export interface RawAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

/** Opens a socket to the server and sends the head of a request; the caller sends what else it likes. */
export function openRequest(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string | number>,
): Socket {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const lines = Object.entries({ host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return socket
}

/** What the server sent until it closed the connection. */
export async function readAnswer(socket: Socket): Promise<RawAnswer> {
  const [head = '', ...rest] = (await text(socket)).split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ])
  return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers), body: rest.join('\r\n\r\n') }
}

/** A boundary that no body holds. */
export function newBoundary(): string {
  return `----stowage${randomBytes(12).toString('hex')}`
}
