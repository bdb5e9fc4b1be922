import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { S3Client } from '@aws-sdk/client-s3'
import { isThrottlingError, isTransientError, StandardRetryStrategy } from '@smithy/core/retry'
import type { RetryErrorType, SdkError, StandardRetryToken } from '@smithy/types'
import { untilAborted } from '#async/abortable.ts'
import { type BucketAddress, findAddress, pathOf, targetOf } from './address.ts'
import type { Agents, Connections, Purpose } from './connections.ts'
import { type Exchanged, exchange, isStale, type Outgoing } from './exchange.ts'
import { readFailure, S3Failure, withoutCode } from './failure.ts'
import { requirePlausible } from './inconclusive-response.ts'
import { type Payload, StreamedBytes } from './payload.ts'
import { Signer } from './signer.ts'
import { failWhenSilent } from './silence.ts'
import type { S3Timeouts } from './timeouts.ts'

/** A request for an object of the bucket, or for the bucket itself. */
export interface S3Request {
  method: 'DELETE' | 'GET' | 'HEAD' | 'PUT'
  /** Without one, the request is for the bucket. */
  key?: string
  query?: Record<string, string>
  /** In lower case. */
  headers?: Record<string, string>
  payload?: Payload
  purpose: Purpose
  signal: AbortSignal
}

/** Uses a successful response. */
type Use<T> = (response: IncomingMessage, sent: ClientRequest) => Promise<T>

/** Requests per operation, the first included. */
const mostAttempts = 3

/** Milliseconds for the response 100; as in curl. */
const continueTimeout = 1_000

/** Milliseconds for which the response 100 is not waited for again after it did not come. */
const continuePause = 10 * 60_000

/** Milliseconds between our clock and the store's from which on a refusal without an error code is put down to it. */
const skewedBy = 5 * 60_000

/** Error codes of credentials that have expired. */
const expiredCodes = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])

/**
 * The frequent requests to the bucket: objects, parts and reads. They are sent without the SDK, whose processing of a small
 * object costs more than the object. Every wait has a limit, and a request that failed is sent again where that may help and
 * its payload permits it.
 */
export class DataPlane {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #connections: Connections
  readonly #timeouts: S3Timeouts
  /** One budget of retries for all requests, so that an outage does not multiply them. */
  readonly #retries = new StandardRetryStrategy(mostAttempts)
  readonly #firstToken = this.#retries.acquireInitialRetryToken('')
  #way: Promise<{ address: BucketAddress; signer: Signer }> | undefined
  #noContinueUntil = 0

  /** @param client resolves the address and provides the credentials */
  constructor(
    client: S3Client,
    { bucket, connections, timeouts }: { bucket: string; connections: Connections; timeouts: S3Timeouts },
  ) {
    this.#client = client
    this.#bucket = bucket
    this.#connections = connections
    this.#timeouts = timeouts
  }

  /**
   * Sends a request, and reads its response to the end.
   * @returns the headers of the response
   * @throws S3Failure for a response other than 2xx; an error of Node or of the credentials; Error when a wait is over
   */
  async send(request: S3Request): Promise<IncomingHttpHeaders> {
    return await this.#withRetries(request, async (response) => {
      await readToEnd(response)
      return response.headers
    })
  }

  /**
   * Sends a request.
   * @returns the response, whose body the caller reads or destroys; it fails when the store is silent while it is read
   * @throws as `send`
   */
  async open(request: S3Request): Promise<IncomingMessage> {
    return await this.#withRetries(request, async (response, sent) => {
      // From here on, the time in which a slow reader takes nothing does not count as the store's silence.
      sent.removeAllListeners('timeout')
      failWhenSilent(response, this.#timeouts.silence)
      return response
    })
  }

  async #withRetries<T>(request: S3Request, use: Use<T>): Promise<T> {
    let token = await this.#firstToken
    let isCorrected = false
    for (;;) {
      try {
        const result = await this.#attempt(request, use)
        this.#retries.recordSuccess(token)
        return result
      } catch (error) {
        if (request.signal.aborted || isConsumed(request.payload)) throw error
        if (!isCorrected && (await this.#correct(error))) isCorrected = true
        else token = await this.#waitForRetry(token, error, request.signal)
      }
    }
  }

  async #attempt<T>(request: S3Request, use: Use<T>): Promise<T> {
    using exchanged = await this.#exchange(request)
    const { request: sent, response } = exchanged
    const { statusCode = 0 } = response
    // A store may refuse a payload without reading it. The next request on the connection would then wait behind the payload.
    if (statusCode >= 300 && request.payload !== undefined) sent.shouldKeepAlive = false
    try {
      if (request.payload instanceof StreamedBytes) await requirePlausible(statusCode, response, request.payload)
      if (statusCode >= 300) throw await readFailure(response)
      return await use(response, sent)
    } finally {
      // Otherwise the connection would go on to read the payload, whose memory is used for other bytes.
      if (!sent.writableFinished) sent.destroy()
    }
  }

  async #exchange(request: S3Request): Promise<Exchanged> {
    const { payload, purpose, signal } = request
    const outgoing = await this.#sign(request)
    const { connect, silence, background = silence } = this.#timeouts
    const waits = { connect, silence: purpose === 'background' ? background : silence }
    if (payload instanceof StreamedBytes && performance.now() < this.#noContinueUntil)
      return await exchange({ ...outgoing, agents: this.#connections.once }, waits, signal)
    const send = (agents: Agents) =>
      exchange({ ...outgoing, agents }, { ...waits, continue: continueTimeout }, signal, () => {
        this.#noContinueUntil = performance.now() + continuePause
      })
    try {
      return await send(this.#connections.for(purpose))
    } catch (error) {
      if (!isStale(error) || signal.aborted || isConsumed(payload)) throw error
      return await send(this.#connections.once)
    }
  }

  async #sign(request: S3Request): Promise<Omit<Outgoing, 'agents'>> {
    const { method, key, query = {}, payload } = request
    const { address, signer } = await this.#locate()
    const path = pathOf(address.path, key)
    const headers = await signer.sign({
      ...{ method, host: address.host, path, query },
      headers: { ...request.headers, ...payload?.headers },
    })
    const { isTls, hostname, port } = address
    return { isTls, hostname, port, method, target: targetOf(path, query), headers, payload }
  }

  /** The address and the signer, which are found once. */
  async #locate(): Promise<{ address: BucketAddress; signer: Signer }> {
    this.#way ??= findAddress(this.#client, this.#bucket).then((address) => ({
      address,
      signer: new Signer(this.#client.config.credentials, address.region),
    }))
    try {
      return await this.#way
    } catch (error) {
      this.#way = undefined
      throw error
    }
  }

  /** Removes the reason of a refusal that is our clock or our credentials. @returns whether the request may succeed now */
  async #correct(error: unknown): Promise<boolean> {
    if (!(error instanceof S3Failure)) return false
    const { signer } = await this.#locate()
    const storeTime = Date.parse(error.headers.date ?? '')
    if (isSkewed(error, storeTime)) {
      signer.followClock(storeTime)
      return true
    }
    if (!isExpired(error)) return false
    await signer.renewCredentials()
    return true
  }

  /** Waits before another attempt. @throws the error itself, when another attempt is of no use or not affordable */
  async #waitForRetry(token: StandardRetryToken, error: unknown, signal: AbortSignal): Promise<StandardRetryToken> {
    const errorType = retryTypeOf(error)
    const waiting = this.#retries.refreshRetryTokenForRetry(token, { errorType, error: error as SdkError })
    return await untilAborted(waiting, signal).catch(() => {
      throw error
    })
  }
}

/** Whether bytes of a payload are lost, because it is not kept. */
function isConsumed(payload: Payload | undefined): boolean {
  return payload instanceof StreamedBytes && payload.isBegun
}

function retryTypeOf(error: unknown): RetryErrorType {
  if (isThrottlingError(error as SdkError)) return 'THROTTLING'
  return isTransientError(error as SdkError) ? 'TRANSIENT' : 'CLIENT_ERROR'
}

function isSkewed({ name, $metadata }: S3Failure, storeTime: number): boolean {
  if (Number.isNaN(storeTime)) return false
  const isUnexplained = name === withoutCode && $metadata.httpStatusCode === 403
  return name === 'RequestTimeTooSkewed' || (isUnexplained && Math.abs(storeTime - Date.now()) > skewedBy)
}

/** Whether credentials have expired. The response to a HEAD request does not say more than 400. */
function isExpired({ name, $metadata }: S3Failure): boolean {
  return expiredCodes.has(name) || (name === withoutCode && $metadata.httpStatusCode === 400)
}

function readToEnd(response: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    response.once('end', resolve)
    response.once('error', reject)
    response.once('close', () => reject(new Error('The response of the object store has broken off')))
    response.resume()
  })
}
