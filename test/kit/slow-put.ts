import type { Socket } from 'node:net'
import { openRequest, type RawAnswer, readAnswer } from './multipart.ts'

/** A raw body that is sent piece by piece, as the test says. */
export interface SlowPut {
  socket: Socket
  /** Sends bytes of the body; resolves when the socket has taken them. */
  send(bytes: string | Buffer): Promise<void>
  /** Up to where the server closes the connection. */
  answer: Promise<RawAnswer>
}

/** Sends the head of a `PUT` whose body has, as it says, `length` bytes. */
export function beginPut(url: string, path: string, length: number, headers: Record<string, string>): SlowPut {
  const socket = openRequest(url, 'PUT', path, { connection: 'close', 'content-length': length, ...headers })
  const answer = readAnswer(socket)
  answer.catch(() => {})
  socket.on('error', () => {})
  return {
    socket,
    send: (bytes) => new Promise((resolve) => socket.write(bytes, () => resolve())),
    answer,
  }
}
