import http from 'node:http'
import https from 'node:https'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { finalStatuses, inconclusive, requirePlausible } from './inconclusive-response.ts'
import { Payload, StreamedBytes } from './payload.ts'
import { failWhenSilent, isTimeout, watchProgress } from './silence.ts'

/** The longest waits for the store, in milliseconds. */
export interface S3Timeouts {
  /** For a free socket and its connection. */
  connect: number
  /** Without a byte in either direction: while a request is sent, until its response begins, and within the response. */
  silence: number
  /** For CompleteMultipartUpload: some stores copy all parts together before they answer. */
  completion: number
  /** Until the response begins to a request for which no client waits; by default as `silence`. */
  background?: number
}

/**
 * A client gets a response within 20 s when the store is silent. Besides these waits, the 20 s cover the 3 s after which the
 * handler examines a socket, or the 6 s after which it sends without a 100 response, and the question whether the object
 * exists.
 */
export const defaultTimeouts: S3Timeouts = { connect: 3_000, silence: 7_000, completion: 120_000, background: 30_000 }

/** The option of the SDK's `send` for reads for which no client waits. */
export const inBackground: object = { isInBackground: true }

type Request = Parameters<NodeHttpHandler['handle']>[0]
type RequestOptions = Parameters<NodeHttpHandler['handle']>[1]
type Response = Awaited<ReturnType<NodeHttpHandler['handle']>>

/**
 * Sends the SDK's requests with a limit to every wait. Reads have sockets of their own: a slow reader holds the socket of
 * its object, and must neither keep uploads waiting nor be taken for a silent store. Requests for which no client waits
 * have sockets of their own too: lists, deletions and the reads of workers go on when readers hold all of theirs.
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
    const uploads = keepAliveAgents(maxSockets)
    this.#silence = silence
    this.#sends = new NodeHttpHandler({ ...limits, ...uploads, socketTimeout: silence })
    this.#streams = new NodeHttpHandler(limits)
    // A new connection each: a kept one that the store has just closed would look like a lost response.
    this.#creations = new NodeHttpHandler({ ...limits, ...singleUseAgents(), requestTimeout: silence })
    this.#completions = new NodeHttpHandler({ ...limits, ...uploads, requestTimeout: completion })
    // Sent after a response was lost or came early: not over the connection that is closed for that reason.
    this.#heads = new NodeHttpHandler({ ...limits, ...keepAliveAgents(maxSockets), requestTimeout: silence })
    this.#reads = new NodeHttpHandler({ ...limits, ...keepAliveAgents(maxSockets), requestTimeout: silence })
    this.#background = new NodeHttpHandler({ ...limits, ...keepAliveAgents(maxSockets), requestTimeout: background })
  }

  async handle(request: Request, options?: RequestOptions): Promise<Response> {
    const handler = this.#handlerOf(request, options)
    try {
      if (request.body instanceof StreamedBytes) return await this.#stream(request, request.body, options)
      if (isCreation(request)) return await this.#create(request, options)
      const output = await handler.handle(withOpenPayload(request), options)
      if (handler !== this.#sends) failWhenSilent(output.response.body, this.#silence)
      return output
    } catch (error) {
      throw isTimeout(error) ? new Error((error as Error).message) : error
    }
  }

  /**
   * Sends bytes that cannot be sent twice: only when the store asks for them (RFC 9110 section 10.1.1), and on a new
   * connection. So a refusal, or a connection that the store has just closed, loses no bytes.
   */
  async #stream(request: Request, bytes: StreamedBytes, options?: RequestOptions): Promise<Response> {
    const body = bytes.open()
    const stuck = new AbortController()
    using _watch = watchProgress(body, this.#silence, () => stuck.abort(isStuck))
    const signals = [stuck.signal, options?.abortSignal as AbortSignal | undefined].filter((signal) => !!signal)
    const headers = { ...request.headers, expect: '100-continue' }
    try {
      const abortSignal = AbortSignal.any(signals)
      const output = await this.#streams.handle({ ...request, headers, body } as unknown as Request, {
        ...options,
        abortSignal,
      })
      const { statusCode, body: received } = output.response
      failWhenSilent(received, this.#silence)
      await requirePlausible(statusCode, received, bytes)
      return output
    } catch (error) {
      if (stuck.signal.aborted) throw new Error(`The object store has not gone on for ${this.#silence} ms`)
      // The SDK would try again, and find that it cannot, only after a pause in which the client is still being read.
      throw bytes.isBegun && (error as NodeJS.ErrnoException).code !== 'ENOSPC'
        ? new Error('The store failed when the bytes were on their way', { cause: error })
        : error
    }
  }

  /**
   * Creates a multipart upload, and no second one when the first may exist: nobody would know the id of the first. So the SDK
   * may try again only when the store was not reached or has refused.
   */
  async #create(request: Request, options?: RequestOptions): Promise<Response> {
    const output = await this.#creations.handle(request, options).catch((error) => {
      // Not as the cause: the SDK searches causes for a reason to try again.
      throw isUnreached(error) ? error : new Error(`The object store may have opened an upload: ${error.message}`)
    })
    const { statusCode, body } = output.response
    failWhenSilent(body, this.#silence)
    if (statusCode < 500 || statusCode === 503 || finalStatuses.has(statusCode)) return output
    throw await inconclusive(body, `The object store answered ${statusCode} and may have opened an upload`)
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

function singleUseAgents() {
  const options = { keepAlive: false }
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
}

function keepAliveAgents(maxSockets: number) {
  const options = { keepAlive: true, maxSockets }
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
}

const isStuck = 'The object store is stuck.'

function isCreation({ method, query }: Request): boolean {
  return method === 'POST' && query?.uploads !== undefined
}

/** Whether a request failed before any of its bytes had left. */
function isUnreached(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code !== undefined && ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'].includes(code)
}

/** The request with its payload opened for this try. */
function withOpenPayload(request: Request): Request {
  const { body } = request
  return body instanceof Payload ? ({ ...request, body: body.open() } as unknown as Request) : request
}
