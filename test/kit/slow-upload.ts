import type { Socket } from 'node:net'
import { chunkOf, fieldHeaders, lastChunk, newBoundary, typeOf } from './multipart.ts'
import { openRequest, type RawAnswer, type RawHeaders, readAnswer } from './raw-http.ts'

/** A body that is sent piece by piece, as the test says. */
export interface SlowUpload {
  socket: Socket
  /** Sends bytes of the body; resolves when the socket has taken them, or is closed. */
  send(bytes: string | Buffer): Promise<void>
  /** Read up to where the server closes the connection. An upload that is refused has one before its last byte. */
  answer: Promise<RawAnswer>
}

export interface SlowForm extends SlowUpload {
  /** Ends the file and the form, and reads the answer. */
  finish(): Promise<RawAnswer>
}

export interface SlowFormOptions {
  fileName?: string
  /** Sent before the file. */
  fields?: Record<string, string>
}

/** Begins to upload a file in chunked transfer coding; the server sees the file's part at once. */
export function beginForm(
  url: string,
  path: string,
  field: string,
  headers: Record<string, string>,
  { fileName = 'slow.bin', fields = {} }: SlowFormOptions = {},
): SlowForm {
  const boundary = newBoundary()
  const type = { ...typeOf(boundary), 'transfer-encoding': 'chunked' }
  const { socket, answer } = beginRequest(url, 'POST', path, { ...headers, ...type })
  const send = (bytes: string | Buffer) => written(socket, chunkOf(Buffer.from(bytes)))
  const before = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\n${fieldHeaders(name)}\r\n\r\n${value}\r\n`,
  )
  send(`${before.join('')}--${boundary}\r\n${fieldHeaders(field)}; filename="${fileName}"\r\n\r\n`)
  return {
    socket,
    send,
    answer,
    async finish() {
      await send(`\r\n--${boundary}--\r\n`)
      socket.write(lastChunk)
      return answer
    },
  }
}

/** Sends the head of a `PUT` whose body has, as it says, `length` bytes. */
export function beginPut(url: string, path: string, length: number, headers: Record<string, string>): SlowUpload {
  const { socket, answer } = beginRequest(url, 'PUT', path, { 'content-length': length, ...headers })
  return { socket, answer, send: (bytes) => written(socket, bytes) }
}

function beginRequest(url: string, method: string, path: string, headers: RawHeaders) {
  const socket = openRequest(url, method, path, { connection: 'close', ...headers })
  socket.on('error', () => {})
  const answer = readAnswer(socket)
  answer.catch(() => {})
  return { socket, answer }
}

/** Resolves when the socket has handed the bytes to the network, or is closed. */
export function written(socket: Socket, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => socket.write(bytes, () => resolve()))
}
