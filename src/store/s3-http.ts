import type { IncomingMessage } from 'node:http'
import { NodeHttpHandler } from '@smithy/node-http-handler'

/** How long the store may keep us waiting, in milliseconds. */
export interface S3Timeouts {
  /** For a free socket and its connection. */
  connect: number
  /** Without a byte in either direction: while a request is sent, until its answer begins, and within the answer. */
  silence: number
}

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
  readonly #reads: NodeHttpHandler
  readonly #writes: NodeHttpHandler

  constructor(timeouts: S3Timeouts, maxSockets: number) {
    this.#silence = timeouts.silence
    const agents = { httpAgent: { keepAlive: true, maxSockets }, httpsAgent: { keepAlive: true, maxSockets } }
    const connectionTimeout = timeouts.connect
    this.#writes = new NodeHttpHandler({ ...agents, connectionTimeout, socketTimeout: timeouts.silence })
    this.#reads = new NodeHttpHandler({
      ...agents,
      connectionTimeout,
      requestTimeout: timeouts.silence,
      throwOnRequestTimeout: true,
      socketTimeout: 0,
    })
  }

  async handle(request: Request, options?: RequestOptions): Promise<Answer> {
    const isRead = request.method === 'GET'
    try {
      const answer = await (isRead ? this.#reads : this.#writes).handle(request, options)
      if (isRead) failWhenSilent(answer.response.body, this.#silence)
      return answer
    } catch (error) {
      throw isTimeout(error) ? new Error((error as Error).message) : error
    }
  }

  destroy(): void {
    this.#reads.destroy()
    this.#writes.destroy()
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }
}

/**
 * Whether a wait was ended by its limit. The SDK would try that again, and three times a wait is longer than a client's
 * patience; the handler gives lost connections, which are worth another try, the same name.
 */
function isTimeout(error: unknown): boolean {
  const { name, code } = error as NodeJS.ErrnoException
  return name === 'TimeoutError' && code !== 'ECONNRESET' && code !== 'EPIPE'
}

/** Breaks off a body whose store sends nothing for `silence` ms; as long as bytes wait to be read, the reader is slow. */
function failWhenSilent(body: IncomingMessage, silence: number): void {
  body.setTimeout(silence, () => {
    if (body.readableLength > 0) body.setTimeout(silence)
    else body.destroy(new Error(`The object store sent nothing for ${silence} ms in the middle of an object`))
  })
}
