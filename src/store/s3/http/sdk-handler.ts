import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { Connections } from './connections.ts'
import { finalStatuses, inconclusive } from './inconclusive-response.ts'
import { failWhenSilent, isTimeout } from './silence.ts'
import type { S3Timeouts } from './timeouts.ts'

type Request = Parameters<NodeHttpHandler['handle']>[0]
type RequestOptions = Parameters<NodeHttpHandler['handle']>[1]
type Response = Awaited<ReturnType<NodeHttpHandler['handle']>>

/**
 * Sends the requests for which the SDK is used, with a limit to every wait: multipart uploads are created, completed and
 * aborted, and the bucket is listed.
 */
export class SdkHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #silence: number
  readonly #connections: Connections
  readonly #creations: NodeHttpHandler
  readonly #completions: NodeHttpHandler
  readonly #background: NodeHttpHandler

  constructor({ connect, silence, completion, background = silence }: S3Timeouts, connections: Connections) {
    const limits = { connectionTimeout: connect, throwOnRequestTimeout: true, socketTimeout: 0 }
    this.#silence = silence
    this.#connections = connections
    // A new connection each: a kept one that the store has just closed would look like a lost response.
    this.#creations = new NodeHttpHandler({ ...limits, ...connections.once, requestTimeout: silence })
    this.#completions = new NodeHttpHandler({ ...limits, ...connections.for('upload'), requestTimeout: completion })
    this.#background = new NodeHttpHandler({ ...limits, ...connections.for('background'), requestTimeout: background })
  }

  async handle(request: Request, options?: RequestOptions): Promise<Response> {
    try {
      if (isCreation(request)) return await this.#create(request, options)
      const isCompletion = request.method === 'POST'
      const output = await (isCompletion ? this.#completions : this.#background).handle(request, options)
      failWhenSilent(output.response.body, this.#silence)
      return output
    } catch (error) {
      throw isTimeout(error) ? new Error((error as Error).message) : error
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

  /** Closes the connections, those of the data plane too. */
  destroy(): void {
    this.#connections.close()
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }
}

function isCreation({ method, query }: Request): boolean {
  return method === 'POST' && query?.uploads !== undefined
}

/** Whether a request failed before any of its bytes had left. */
function isUnreached(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code !== undefined && ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'].includes(code)
}
