import { Agent, type ClientRequest, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'

export interface Request {
  method: string
  path: string
  headers: Record<string, string>
  body?: Buffer
  /** Sent in chunks, without saying how long it is. */
  isChunked?: boolean
  /** Over so many milliseconds, as on a slow line. */
  over?: number
  /** Hangs up after so many bytes of the body. */
  breakAfter?: number
  /** Milliseconds that the client waits for all of an answer, where it is not as patient as others. */
  patience?: number
}

export interface Answer {
  status: number
  body: Buffer
}

/** Milliseconds that most clients wait for all of an answer. */
const usualPatience = 15_000

const piece = 128 * 1024

/** Connections are kept, as a browser keeps them. */
const agent = new Agent({ keepAlive: true, timeout: usualPatience })

/** Sends a request and reads the answer. Rejects when either breaks off. */
export async function exchange(url: string, outgoing: Request): Promise<Answer> {
  const { method, path, headers, body, isChunked, patience = usualPatience } = outgoing
  const { hostname, port } = new URL(url)
  const length = body === undefined || isChunked ? {} : { 'content-length': body.length }
  const signal = AbortSignal.timeout(patience)
  const sending = request({ hostname, port, method, path, headers: { ...headers, ...length }, agent, signal })
  const answered = Promise.withResolvers<Answer>()
  sending.on('error', answered.reject)
  const closedUnanswered = () => answered.reject(new Error('The connection closed without an answer'))
  sending.once('close', closedUnanswered)
  sending.on('response', (response) => {
    sending.off('close', closedUnanswered)
    buffer(response).then((bytes) => {
      answered.resolve({ status: response.statusCode ?? 0, body: bytes })
      // An answer that came before the last byte of the question ends the connection.
      if (!sending.writableEnded) sending.destroy()
    }, answered.reject)
  })
  pour(sending, outgoing).catch(answered.reject)
  return answered.promise
}

async function pour(sending: ClientRequest, { body = Buffer.alloc(0), over = 0, breakAfter }: Request): Promise<void> {
  const end = breakAfter ?? body.length
  const pause = Math.floor(over / Math.ceil(end / piece))
  for (let at = 0; at < end && !sending.destroyed; at += piece) {
    const hasRoom = sending.write(body.subarray(at, Math.min(at + piece, end)))
    if (!hasRoom && !sending.closed) await drainedOrClosed(sending)
    if (pause > 0) await delay(pause)
  }
  if (breakAfter === undefined) sending.end()
  else sending.destroy()
}

function drainedOrClosed(sending: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      sending.off('drain', done).off('close', done)
      resolve()
    }
    sending.once('drain', done).once('close', done)
  })
}
