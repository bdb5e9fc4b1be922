import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { NodeHttpHandler } from '@smithy/node-http-handler'

/** How long the store may keep us waiting, in milliseconds. */
export interface S3Timeouts {
  /** For a free socket and its connection. */
  connect: number
  /** Without a byte in either direction: while a request is sent, until its answer begins, and within the answer. */
  silence: number
  /** For CompleteMultipartUpload: some stores copy all parts together before they answer. */
  completion: number
}

export const defaultTimeouts: S3Timeouts = { connect: 3_000, silence: 30_000, completion: 120_000 }

type Request = Parameters<NodeHttpHandler['handle']>[0]
type RequestOptions = Parameters<NodeHttpHandler['handle']>[1]
type Answer = Awaited<ReturnType<NodeHttpHandler['handle']>>

/**
 * Sends the SDK's requests with a limit to every wait. Reads have sockets of their own: a slow reader pins the socket of
 * its object, and must neither keep uploads waiting nor be taken for a silent store.
 */
export class S3Http {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #silence: number
  readonly #sends: NodeHttpHandler
  readonly #completions: NodeHttpHandler
  readonly #reads: NodeHttpHandler

  constructor({ connect, silence, completion }: S3Timeouts, maxSockets: number) {
    const limits = { connectionTimeout: connect, throwOnRequestTimeout: true, socketTimeout: 0 }
    const uploads = keptConnections(maxSockets)
    this.#silence = silence
    this.#sends = new NodeHttpHandler({ ...limits, ...uploads, socketTimeout: silence })
    this.#completions = new NodeHttpHandler({ ...limits, ...uploads, requestTimeout: completion })
    this.#reads = new NodeHttpHandler({ ...limits, ...keptConnections(maxSockets), requestTimeout: silence })
  }

  async handle(request: Request, options?: RequestOptions): Promise<Answer> {
    const handler = this.#handlerOf(request)
    try {
      const answer = await handler.handle(request, options)
      if (handler !== this.#sends) failWhenSilent(answer.response.body, this.#silence)
      return answer
    } catch (error) {
      throw isTimeout(error) ? new Error((error as Error).message) : error
    }
  }

  #handlerOf({ method, query }: Request): NodeHttpHandler {
    if (method === 'GET') return this.#reads
    return method === 'POST' && query?.uploadId !== undefined ? this.#completions : this.#sends
  }

  destroy(): void {
    this.#sends.destroy()
    this.#completions.destroy()
    this.#reads.destroy()
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }
}

function keptConnections(maxSockets: number) {
  const options = { keepAlive: true, maxSockets }
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
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
