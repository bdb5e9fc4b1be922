import type { Socket } from 'node:net'
import { fieldHeaders, newBoundary, openRequest, readAnswer } from './multipart.ts'

/** A form with one file that is sent piece by piece, as the test says. */
export interface SlowForm {
  socket: Socket
  /** Sends bytes of the file; resolves when the socket has taken them. */
  send(bytes: Buffer): Promise<void>
  /** Ends the file and the form, and reads the answer. */
  finish(): ReturnType<typeof readAnswer>
  /** For a form that is answered before it is finished: up to where the server closes the connection. */
  answer: ReturnType<typeof readAnswer>
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
  const socket = openRequest(url, 'POST', path, {
    ...headers,
    'content-type': `multipart/form-data; boundary=${boundary}`,
    'transfer-encoding': 'chunked',
    connection: 'close',
  })
  const answer = readAnswer(socket)
  answer.catch(() => {})
  const chunk = async (bytes: Buffer) => {
    socket.write(`${bytes.length.toString(16)}\r\n`)
    socket.write(bytes)
    if (!socket.write('\r\n') && !socket.closed) await drainedOrClosed(socket)
  }
  const before = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\n${fieldHeaders(name)}\r\n\r\n${value}\r\n`,
  )
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${fileName}"\r\n\r\n`
  socket.on('error', () => {})
  chunk(Buffer.from(before.join('') + head))
  return {
    socket,
    send: chunk,
    answer,
    async finish() {
      await chunk(Buffer.from(`\r\n--${boundary}--\r\n`))
      socket.write('0\r\n\r\n')
      return answer
    },
  }
}

function drainedOrClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.once('drain', done).once('close', done)
  })
}
