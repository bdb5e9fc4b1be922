import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { limits } from '#domain/limits.ts'

type Exchange = [IncomingMessage, ServerResponse]

/** The queue of requests that wait on one connection. */
class RequestQueue {
  readonly #exchanges: Exchange[] = []
  #headBytes = 0

  /** @returns whether there is room for one more */
  add(exchange: Exchange): boolean {
    const bytes = headBytes(exchange[0])
    const isFull = this.#exchanges.length >= limits.pipelined || this.#headBytes + bytes > limits.pipelinedHeads
    if (isFull) return false
    this.#headBytes += bytes
    this.#exchanges.push(exchange)
    return true
  }

  next(): Exchange | undefined {
    const exchange = this.#exchanges.shift()
    if (exchange) this.#headBytes -= headBytes(exchange[0])
    return exchange
  }
}

function headBytes({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length, url.length)
}

/**
 * Serves the requests of a connection one after another. Their responses are sent in that order in any case (RFC 9112 section
 * 9.3.2), but Node emits every request on arrival: a client that sends a thousand at once would have a thousand in progress. A
 * connection is closed when too many requests wait, or when their heads are too long together.
 */
export function servePipelined(serve: RequestListener): RequestListener {
  const queues = new WeakMap<Socket, RequestQueue>()

  const begin = (socket: Socket, exchange: Exchange) => {
    const [request, response] = exchange
    response.once('close', () => {
      const next = socket.destroyed ? undefined : queues.get(socket)?.next()
      if (next) begin(socket, next)
      else queues.delete(socket)
    })
    serve(request, response)
  }

  return (request, response) => {
    const { socket } = request
    const queue = queues.get(socket)
    if (queue === undefined) {
      queues.set(socket, new RequestQueue())
      begin(socket, [request, response])
    } else if (!queue.add([request, response])) {
      socket.destroy()
    }
  }
}
