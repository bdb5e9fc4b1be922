import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { RawBody } from './multipart.ts'

export type RawHeaders = Record<string, string | number>

export interface RawAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

/** A connection of its own. @param allowHalfOpen the client's side stays open when the server has closed its own */
export function openSocket(url: string, { allowHalfOpen = false } = {}): Socket {
  const { hostname, port } = new URL(url)
  return connect({ port: Number(port), host: hostname, allowHalfOpen })
}

/** Opens a connection whose errors are no failures, and of which nothing is read unless the caller resumes it. */
export function openUnread(url: string, bytes = '', options: { allowHalfOpen?: boolean } = {}): Socket {
  const socket = openSocket(url, options)
  socket.on('error', () => {}).pause()
  if (bytes !== '') socket.write(bytes)
  return socket
}

/** Opens a socket to the server and sends the head of a request; the caller sends what else it likes. */
export function openRequest(
  url: string,
  method: string,
  path: string,
  headers: RawHeaders,
  options: { allowHalfOpen?: boolean } = {},
): Socket {
  const socket = openSocket(url, options)
  const lines = Object.entries({ host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return socket
}

/** Reads one answer, up to where the server closes the connection. Rejects when the connection breaks. */
export async function readAnswer(socket: Socket): Promise<RawAnswer> {
  return parseAnswer(await text(socket))
}

/** Reads all that comes until the connection has ended, however it ends. */
export async function readBytes(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks)
}

/** The status is NaN where no answer has come. */
export function parseAnswer(received: string): RawAnswer {
  const [head = '', ...rest] = received.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ])
  return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers), body: rest.join('\r\n\r\n') }
}

/** Sends bytes of the test's own making, such as several requests at once. @returns all that comes back */
export function exchangeBytes(url: string, bytes: string): Promise<string> {
  const socket = openSocket(url)
  socket.write(bytes)
  return text(socket)
}

/** Sends the beginning of a request whose Content-Length says that `missing` more bytes follow. */
export function beginRaw(url: string, path: string, { headers, body }: RawBody, missing: number): Socket {
  const length = { 'content-length': body.length + missing }
  const socket = openRequest(url, 'POST', path, { connection: 'close', ...length, ...headers })
  // The subject of the test is read from the answer.
  socket.on('error', () => {})
  socket.write(body)
  return socket
}

/** Sends a request, with its length unless it is chunked, and reads the answer, up to where the server closes the connection. */
export function sendRaw(url: string, method: string, path: string, { headers, body }: RawBody): Promise<RawAnswer> {
  const hasLength = body.length > 0 && !('transfer-encoding' in headers)
  const length = hasLength ? { 'content-length': body.length } : {}
  const socket = openRequest(url, method, path, { connection: 'close', ...length, ...headers })
  socket.on('error', () => {})
  const answer = readAnswer(socket)
  socket.write(body)
  return answer
}

export function postRaw(url: string, path: string, form: RawBody): Promise<RawAnswer> {
  return sendRaw(url, 'POST', path, form)
}
