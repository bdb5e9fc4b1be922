import { IncomingMessage, type RequestListener } from 'node:http'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { breakBody } from './broken-body.ts'

/** The size in bytes from which a chunk is passed on by itself. */
const largeChunk = 1024
/** The most bytes of small chunks that are buffered. */
const bufferSize = 4096

/**
 * Coalesces the small chunks of a chunked body, and ends a body that has too many. A stream passes on each chunk by itself, so that
 * a megabyte in chunks of one byte would take seconds and hundreds of megabytes. This covers every body, including one that waits
 * in the pipeline and one that is discarded.
 */
export function coalesceChunks(serve: RequestListener): RequestListener {
  return (request, response) => {
    if (request.headers['transfer-encoding'] !== undefined) coalesce(request)
    serve(request, response)
  }
}

function coalesce(request: IncomingMessage): void {
  const push = (bytes: Buffer | null) => IncomingMessage.prototype.push.call(request, bytes)
  const small = new SmallChunks(push)
  let count = 0
  let bytes = 0
  let isBroken = false
  // Node's parser calls `push` for each chunk. On false, the parser pauses the connection until the next `_read`.
  request.push = (chunk: Buffer | null) => {
    if (isBroken || request.destroyed) return false
    if (chunk === null) {
      small.flush()
      return push(null)
    }
    count += 1
    bytes += chunk.length
    isBroken = count > limits.smallChunks + bytes / limits.meanChunk
    if (!isBroken) return small.add(chunk)
    request._read = () => {}
    breakBody(request, tooSmall())
    return false
  }
  // Node's `_dump` would discard the rest of the body after the response without calling `push`.
  Object.assign(request, {
    _dump() {
      request.removeAllListeners('data')
      request.resume()
    },
  })
}

/** Joins the chunks of one event-loop turn into as few as possible. */
class SmallChunks {
  readonly #push: (bytes: Buffer) => boolean
  #buffer: Buffer | undefined
  #length = 0
  #pendingFlush: NodeJS.Immediate | undefined

  constructor(push: (bytes: Buffer) => boolean) {
    this.#push = push
  }

  /** @returns whether the sender may continue at once */
  add(chunk: Buffer): boolean {
    if (chunk.length >= largeChunk) {
      this.flush()
      return this.#push(chunk)
    }
    const mayContinue = this.#length + chunk.length <= bufferSize || this.flush()
    this.#buffer ??= Buffer.allocUnsafeSlow(bufferSize)
    this.#length += chunk.copy(this.#buffer, this.#length)
    this.#pendingFlush ??= setImmediate(() => this.flush())
    return mayContinue
  }

  /** @returns whether the sender may continue at once */
  flush(): boolean {
    clearImmediate(this.#pendingFlush)
    this.#pendingFlush = undefined
    if (!this.#buffer || this.#length === 0) return true
    const bytes = Buffer.from(this.#buffer.subarray(0, this.#length))
    this.#length = 0
    return this.#push(bytes)
  }
}

function tooSmall(): StowageError {
  return new StowageError(
    'invalid',
    `The body comes in more than ${limits.smallChunks} chunks of fewer than ${limits.meanChunk} bytes. Send larger ones.`,
  )
}
