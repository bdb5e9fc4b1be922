import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Agents } from './connections.ts'
import { type Payload, StreamedBytes } from './payload.ts'

/** A signed request. */
export interface Outgoing {
  isTls: boolean
  hostname: string
  port: number
  method: string
  /** Path and query. */
  target: string
  headers: Record<string, string>
  payload: Payload | undefined
  agents: Agents
}

/** The longest waits of one request, in milliseconds. */
export interface Waits {
  /** For a free connection, and until it is open. */
  connect: number
  /** For the store, without a byte in either direction. */
  silence: number
  /**
   * For the response 100 to a payload that cannot be sent twice (RFC 9110 section 10.1.1); `undefined` sends the payload
   * without it.
   */
  continue?: number | undefined
}

/** A request whose response has begun. Until it is disposed of, the signal ends it. */
export interface Exchanged extends Disposable {
  request: ClientRequest
  response: IncomingMessage
}

/**
 * Sends a request, and its payload no faster than the store takes it. Resolves when the head of the response has arrived,
 * which may be before the whole payload has left.
 * @param onNoContinue called when the store has taken a payload and never sent the response 100
 * @throws an error of Node, or Error when a wait is over; {@link isStale} tells whether the connection was at fault
 */
export async function exchange(
  outgoing: Outgoing,
  waits: Waits,
  signal: AbortSignal,
  onNoContinue: () => void = () => {},
): Promise<Exchanged> {
  signal.throwIfAborted()
  const request = open(outgoing, waits)
  const head = Promise.withResolvers<IncomingMessage>()
  const fail = (error: unknown) => {
    // A request that waits for a free connection reports nothing when it is destroyed.
    head.reject(error)
    request.destroy()
  }
  const abort = () => fail(signal.reason)
  const stopListening = () => signal.removeEventListener('abort', abort)
  signal.addEventListener('abort', abort, { once: true })
  request.once('response', head.resolve)
  // The listener stays: an error after the response concerns its reader, who is told by the response.
  request.on('error', (error: NodeJS.ErrnoException) => {
    if (request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) staleErrors.add(error)
    head.reject(error)
  })
  const connected = limitConnecting(request, outgoing.isTls, waits.connect, fail)
  limitSilence(request, waits.silence, fail)
  const sending =
    outgoing.payload instanceof StreamedBytes
      ? stream(request, outgoing.payload, { waits, connected, onNoContinue })
      : sendKept(request, outgoing.payload)
  sending.catch(fail)
  try {
    return { request, response: await head.promise, [Symbol.dispose]: stopListening }
  } catch (error) {
    stopListening()
    throw error
  }
}

/** Whether a request failed because its kept connection was closed by the store when the request began. */
export function isStale(error: unknown): boolean {
  return staleErrors.has(error as object)
}

const staleErrors = new WeakSet<object>()

function open({ isTls, hostname, port, method, target, headers, payload, agents }: Outgoing, waits: Waits) {
  const isAsking = payload instanceof StreamedBytes && waits.continue !== undefined
  const options = {
    ...{ hostname, port, method, path: target, setHost: false },
    headers: isAsking ? { ...headers, expect: '100-continue' } : headers,
  }
  return isTls
    ? https.request({ ...options, agent: agents.httpsAgent })
    : http.request({ ...options, agent: agents.httpAgent })
}

/** Resolves when the request has an open connection, or has ended. */
function limitConnecting(
  request: ClientRequest,
  isTls: boolean,
  limit: number,
  fail: (error: Error) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const late = () => fail(new Error(`No connection to the object store was free or open within ${limit} ms`))
    const timer = setTimeout(late, limit)
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    request.once('close', done)
    request.once('socket', (socket: Socket) => {
      if (socket.connecting) socket.once(isTls ? 'secureConnect' : 'connect', done)
      else done()
    })
  })
}

/** Until `setTimeout(0)` of the request. A large write that goes on counts as bytes. */
function limitSilence(request: ClientRequest, silence: number, fail: (error: Error) => void): void {
  request.setTimeout(silence)
  request.once('timeout', () => fail(new Error(`The object store has not gone on for ${silence} ms`)))
}

async function sendKept(request: ClientRequest, payload: Payload | undefined): Promise<void> {
  const blocks = [...((payload?.open() ?? []) as Iterable<Uint8Array>)]
  const last = blocks.pop()
  for (const block of blocks) {
    if (!request.write(block)) await drained(request)
    if (request.destroyed) return
  }
  request.end(last)
}

async function stream(
  request: ClientRequest,
  payload: StreamedBytes,
  { waits, connected, onNoContinue }: { waits: Waits; connected: Promise<void>; onNoContinue: () => void },
): Promise<void> {
  // Only while the store is waited for does its silence count, and not the time in which a slow client sends nothing.
  request.setTimeout(0)
  if (waits.continue !== undefined) {
    request.flushHeaders()
    await connected
    const isAsked = await asked(request, waits.continue)
    if (isAsked === undefined) return
    if (!isAsked) noteMissingContinue(request, onNoContinue)
  }
  for await (const chunk of payload.open()) {
    if (request.destroyed) return
    if (request.write(chunk)) continue
    request.setTimeout(waits.silence)
    await drained(request)
    request.setTimeout(0)
  }
  request.setTimeout(waits.silence)
  request.end()
}

/** Whether the store has asked for the bytes in time; `undefined` when it has responded, or the request has ended. */
function asked(request: ClientRequest, limit: number): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const settle = (isAsked: boolean | undefined) => {
      clearTimeout(timer)
      resolve(isAsked)
    }
    const timer = setTimeout(() => settle(false), limit)
    request.once('continue', () => settle(true))
    request.once('response', () => settle(undefined))
    request.once('close', () => settle(undefined))
  })
}

/** A store that is only late still sends the response 100; one that has no such response takes the payload without it. */
function noteMissingContinue(request: ClientRequest, onNoContinue: () => void): void {
  let isLate = false
  request.once('continue', () => {
    isLate = true
  })
  request.once('response', ({ statusCode = 0 }) => {
    if (!isLate && statusCode < 300) onNoContinue()
  })
}

/** Resolves when more can be written, or the request has ended. */
function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off('drain', done).off('close', done)
      resolve()
    }
    request.once('drain', done).once('close', done)
  })
}
