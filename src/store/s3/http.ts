import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { inconclusiveAnswer } from './full-disk.ts'
import { Payload } from './payload.ts'
import { StreamedBytes } from './streamed-bytes.ts'

/** The longest waits for the store, in milliseconds. */
export interface S3Timeouts {
  /** For a free socket and its connection. */
  connect: number
  /** Without a byte in either direction: while a request is sent, until its answer begins, and within the answer. */
  silence: number
  /** For CompleteMultipartUpload: some stores copy all parts together before they answer. */
  completion: number
  /** Until the answer begins to a request for which no client waits; by default as `silence`. */
  background?: number
}

/**
 * A client is told within 20 s that the store is silent. Besides these waits, that time covers the 3 s after which the handler
 * looks at a socket, or the 6 s after which it sends unasked, and the question whether the object is there after all.
 */
export const defaultTimeouts: S3Timeouts = { connect: 3_000, silence: 7_000, completion: 120_000, background: 30_000 }

/** The option of the SDK's `send` for reads that no client waits for. */
export const inBackground: object = { isInBackground: true }

type Request = Parameters<NodeHttpHandler['handle']>[0]
type RequestOptions = Parameters<NodeHttpHandler['handle']>[1]
type Answer = Awaited<ReturnType<NodeHttpHandler['handle']>>

/**
 * Sends the SDK's requests with a limit to every wait. Reads have sockets of their own: a slow reader pins the socket of
 * its object, and must neither keep uploads waiting nor be taken for a silent store. So has what no client waits for:
 * lists, deletions and what workers read go on though readers have taken every socket of theirs.
 */
export class S3Http {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #silence: number
  readonly #sends: NodeHttpHandler
  readonly #streams: NodeHttpHandler
  readonly #creations: NodeHttpHandler
  readonly #completions: NodeHttpHandler
  readonly #heads: NodeHttpHandler
  readonly #reads: NodeHttpHandler
  readonly #background: NodeHttpHandler

  constructor({ connect, silence, completion, background = silence }: S3Timeouts, maxSockets: number) {
    const limits = { connectionTimeout: connect, throwOnRequestTimeout: true, socketTimeout: 0 }
    const uploads = keptConnections(maxSockets)
    this.#silence = silence
    this.#sends = new NodeHttpHandler({ ...limits, ...uploads, socketTimeout: silence })
    this.#streams = new NodeHttpHandler(limits)
    // On connections of their own: a kept one that the store has just closed would look like a lost answer.
    this.#creations = new NodeHttpHandler({ ...limits, ...connectionsForOnce(), requestTimeout: silence })
    this.#completions = new NodeHttpHandler({ ...limits, ...uploads, requestTimeout: completion })
    // Asked when an answer was lost or came early: not over the connection that is being closed for that.
    this.#heads = new NodeHttpHandler({ ...limits, ...keptConnections(maxSockets), requestTimeout: silence })
    this.#reads = new NodeHttpHandler({ ...limits, ...keptConnections(maxSockets), requestTimeout: silence })
    this.#background = new NodeHttpHandler({ ...limits, ...keptConnections(maxSockets), requestTimeout: background })
  }

  async handle(request: Request, options?: RequestOptions): Promise<Answer> {
    const handler = this.#handlerOf(request, options)
    try {
      if (request.body instanceof StreamedBytes) return await this.#stream(request, request.body, options)
      if (isCreation(request)) return await this.#create(request, options)
      const answer = await handler.handle(opened(request), options)
      if (handler !== this.#sends) failWhenSilent(answer.response.body, this.#silence)
      return answer
    } catch (error) {
      throw isTimeout(error) ? new Error((error as Error).message) : error
    }
  }

  /**
   * Sends what cannot be sent twice: only when the store asks for it (RFC 9110 section 10.1.1), and on a connection of its
   * own. So a refusal, or a connection that the store has just closed, costs nothing.
   */
  async #stream(request: Request, bytes: StreamedBytes, options?: RequestOptions): Promise<Answer> {
    const body = bytes.open()
    const stuck = new AbortController()
    using _watch = watchProgress(body, this.#silence, () => stuck.abort(isStuck))
    const signals = [stuck.signal, options?.abortSignal as AbortSignal | undefined].filter((signal) => !!signal)
    const headers = { ...request.headers, expect: '100-continue' }
    try {
      const abortSignal = AbortSignal.any(signals)
      const answer = await this.#streams.handle({ ...request, headers, body } as unknown as Request, {
        ...options,
        abortSignal,
      })
      failWhenSilent(answer.response.body, this.#silence)
      await requirePlausible(answer, bytes)
      return answer
    } catch (error) {
      if (stuck.signal.aborted) throw new Error(`The object store has not gone on for ${this.#silence} ms`)
      // The SDK would try again, and find that it cannot, only after a pause in which the client is still being read.
      throw bytes.isBegun && (error as NodeJS.ErrnoException).code !== 'ENOSPC'
        ? new Error('The store failed when the bytes were on their way', { cause: error })
        : error
    }
  }

  /**
   * Opens a multipart upload, and not a second one when it cannot be known whether the first was opened: its id would be
   * known to nobody. So the SDK may try again only when the store was never reached or has refused.
   */
  async #create(request: Request, options?: RequestOptions): Promise<Answer> {
    const answer = await this.#creations.handle(request, options).catch((error) => {
      // Not as its cause: the SDK looks there for a reason to try again.
      throw isUnreached(error) ? error : new Error(`The object store may have opened an upload: ${error.message}`)
    })
    const { statusCode, body } = answer.response
    failWhenSilent(body, this.#silence)
    if (statusCode < 500 || statusCode === 503 || refusals.has(statusCode)) return answer
    throw await inconclusiveAnswer(body, `The object store answered ${statusCode} and may have opened an upload`)
  }

  #handlerOf({ method, query = {} }: Request, options: RequestOptions | undefined): NodeHttpHandler {
    const isList = ['list-type', 'uploads', 'versions'].some((name) => query[name] !== undefined)
    const isInBackground = options !== undefined && 'isInBackground' in options
    if (method === 'DELETE' || (method === 'GET' && (isList || isInBackground))) return this.#background
    if (method === 'GET') return this.#reads
    if (method === 'HEAD') return this.#heads
    return method === 'POST' && query.uploadId !== undefined ? this.#completions : this.#sends
  }

  destroy(): void {
    this.#sends.destroy()
    this.#streams.destroy()
    this.#creations.destroy()
    this.#completions.destroy()
    this.#heads.destroy()
    this.#reads.destroy()
    this.#background.destroy()
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }
}

function connectionsForOnce() {
  const options = { keepAlive: false }
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
}

function keptConnections(maxSockets: number) {
  const options = { keepAlive: true, maxSockets }
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
}

const isStuck = 'The object store is stuck.'

/** The statuses above 500 that say for good that nothing was done: not implemented, full. */
const refusals = new Set([501, 507])

/** @throws Error for a failure after the bytes have begun to leave, and for a success before all of them had left */
async function requirePlausible(
  { response: { statusCode, body } }: Answer,
  { isBegun, isWhole }: StreamedBytes,
): Promise<void> {
  const hasNotWaited = statusCode < 300 && !isWhole
  if (!hasNotWaited && (statusCode < 500 || refusals.has(statusCode) || !isBegun)) return
  throw await inconclusiveAnswer(
    body,
    `The object store answered ${statusCode} ${hasNotWaited ? 'before it had' : 'to'} the bytes`,
  )
}

function isCreation({ method, query }: Request): boolean {
  return method === 'POST' && query?.uploads !== undefined
}

/** Whether a request failed before anything of it had left. */
function isUnreached(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code !== undefined && ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'].includes(code)
}

/** The request with its payload opened for this try. */
function opened(request: Request): Request {
  const { body } = request
  return body instanceof Payload ? ({ ...request, body: body.open() } as unknown as Request) : request
}

/**
 * Tells when the store has kept us waiting for `silence` ms: it takes no more of the body, or has it all and does not answer.
 * A time-out of the socket would also count the time in which the client is slow and there is nothing to send.
 */
function watchProgress(body: Readable, silence: number, onStuck: () => void): Disposable {
  let waitingSince: number | undefined
  const watch = setInterval(() => {
    const isWaiting = body.isPaused() || body.readableEnded
    waitingSince = isWaiting ? (waitingSince ?? performance.now()) : undefined
    if (waitingSince !== undefined && performance.now() - waitingSince > silence) onStuck()
  }, silence / 16)
  body.on('resume', () => {
    waitingSince = undefined
  })
  return { [Symbol.dispose]: () => clearInterval(watch) }
}

/**
 * Whether a wait was ended by its limit. The SDK would try that again, and three times a wait is longer than a client's
 * patience; the handler gives lost connections, which are worth another try, the same name.
 */
function isTimeout(error: unknown): boolean {
  const { name, code } = error as NodeJS.ErrnoException
  return name === 'TimeoutError' && code !== 'ECONNRESET' && code !== 'EPIPE'
}

/**
 * Breaks off a body when its reader waits and nothing comes for `silence` ms. Looked at twice as often, since a reader
 * that took its time may have begun to wait just now.
 */
function failWhenSilent(body: IncomingMessage, silence: number): void {
  let waitingAt: number | undefined
  body.setTimeout(silence / 2, () => {
    const received = body.readableLength === 0 ? body.socket.bytesRead : undefined
    if (received !== undefined && received === waitingAt)
      return void body.destroy(new Error(`The object store sent nothing for ${silence} ms in the middle of an object`))
    waitingAt = received
    body.setTimeout(silence / 2)
  })
}
