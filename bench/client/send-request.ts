import type { Socket } from 'node:net'
import { setInterval } from 'node:timers/promises'
import { contentBetween } from './content.ts'
import type { Load } from './load.ts'

/** Milliseconds between the pieces of a slow body. */
const interval = 100

/** What a body at full speed is made of: a short one is one buffer, so that it is one write. */
const longestSingleWrite = 256 * 1024

/** Prepares to send the requests of a load: one function for all of them, given the path of each. */
export function requestSender(load: Load): (path: string) => (socket: Socket) => Promise<void> {
  const { body, bytesPerSecond } = load
  const headers = body === undefined ? load.headers : { ...load.headers, 'content-length': String(lengthOf(body)) }
  const lines = Object.entries({ host: new URL(load.url).host, ...headers }).map(([name, value]) => `${name}: ${value}`)
  const head = (path: string) => Buffer.from(`${load.method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)

  if (body === undefined) return (path) => (socket) => sendAll(socket, [head(path)])
  if (bytesPerSecond !== undefined) return (path) => (socket) => sendPaced(socket, head(path), body, bytesPerSecond)
  const pieces = piecesOf(body)
  return (path) => (socket) => sendAll(socket, [head(path), ...pieces])
}

type Body = NonNullable<Load['body']>

function lengthOf({ before, fileBytes, after }: Body): number {
  return Buffer.byteLength(before) + fileBytes + Buffer.byteLength(after)
}

function piecesOf({ before, fileBytes, after }: Body): Buffer[] {
  const pieces = [Buffer.from(before), ...contentBetween(0, fileBytes), Buffer.from(after)]
  return fileBytes <= longestSingleWrite ? [Buffer.concat(pieces)] : pieces
}

async function sendAll(socket: Socket, pieces: Buffer[]): Promise<void> {
  socket.cork()
  process.nextTick(() => socket.uncork())
  for (const piece of pieces) if (!socket.write(piece)) await drained(socket)
}

/** So many bytes every tenth of a second; a server that takes them more slowly gets them more slowly. */
async function sendPaced(socket: Socket, head: Buffer, body: Body, bytesPerSecond: number): Promise<void> {
  socket.write(head)
  socket.write(body.before)
  const step = (bytesPerSecond * interval) / 1000
  let sent = 0
  for await (const _ of setInterval(interval)) {
    if (socket.destroyed) return
    if (socket.writableNeedDrain) continue
    const end = Math.min(sent + step, body.fileBytes)
    for (const piece of contentBetween(sent, end)) socket.write(piece)
    sent = end
    if (sent === body.fileBytes) break
  }
  socket.write(body.after)
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.once('drain', done).once('close', done)
  })
}
