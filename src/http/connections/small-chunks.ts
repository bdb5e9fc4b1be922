import { IncomingMessage, type RequestListener } from 'node:http'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { breakBody } from './broken-body.ts'

/** Bytes of a chunk that is handed on by itself. */
const large = 1024
/** Bytes of small chunks that are gathered at most. */
const most = 4096

/**
 * Hands on the small chunks of a chunked body gathered, and ends a body that has too many: a stream hands on each by itself,
 * so that a megabyte in chunks of one byte would take seconds and hundreds of megabytes. It holds for every body, also one
 * that waits for its turn or is thrown away.
 */
export function coalesceChunks(serve: RequestListener): RequestListener {
  return (request, response) => {
    if (request.headers['transfer-encoding'] !== undefined) gather(request)
    serve(request, response)
  }
}

function gather(request: IncomingMessage): void {
  const push = (bytes: Buffer | null) => IncomingMessage.prototype.push.call(request, bytes)
  const small = new SmallChunks(push)
  let count = 0
  let bytes = 0
  let isBroken = false
  // Node's parser calls this for each chunk. When it returns false, it reads no more from the connection until it is asked to.
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
  // Node's own would keep from us what it throws away after the answer.
  Object.assign(request, {
    _dump() {
      request.removeAllListeners('data')
      request.resume()
    },
  })
}

/** What comes in one turn of the event loop, in as few pieces as possible. */
class SmallChunks {
  readonly #push: (bytes: Buffer) => boolean
  #gathered: Buffer | undefined
  #length = 0
  #waiting: NodeJS.Immediate | undefined

  constructor(push: (bytes: Buffer) => boolean) {
    this.#push = push
  }

  /** @returns whether more may come at once */
  add(chunk: Buffer): boolean {
    if (chunk.length >= large) {
      this.flush()
      return this.#push(chunk)
    }
    const mayGoOn = this.#length + chunk.length <= most || this.flush()
    this.#gathered ??= Buffer.allocUnsafeSlow(most)
    this.#length += chunk.copy(this.#gathered, this.#length)
    this.#waiting ??= setImmediate(() => this.flush())
    return mayGoOn
  }

  /** @returns whether more may come at once */
  flush(): boolean {
    clearImmediate(this.#waiting)
    this.#waiting = undefined
    if (!this.#gathered || this.#length === 0) return true
    const bytes = Buffer.from(this.#gathered.subarray(0, this.#length))
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
