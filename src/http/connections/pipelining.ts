import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { limits } from '#domain/limits.ts'

type Turn = [IncomingMessage, ServerResponse]

/** The requests that wait on one connection. */
class Line {
  readonly #turns: Turn[] = []
  #headBytes = 0

  /** @returns whether there is room for one more */
  add(turn: Turn): boolean {
    const bytes = headBytes(turn[0])
    const isFull = this.#turns.length >= limits.pipelined || this.#headBytes + bytes > limits.pipelinedHeads
    if (isFull) return false
    this.#headBytes += bytes
    this.#turns.push(turn)
    return true
  }

  next(): Turn | undefined {
    const turn = this.#turns.shift()
    if (turn) this.#headBytes -= headBytes(turn[0])
    return turn
  }
}

function headBytes({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length, url.length)
}

/**
 * Serves the requests of a connection one after another. Their answers leave in that order in any case (RFC 9112 section
 * 9.3.2), but Node hands out every request that has come: whoever sends a thousand at once would have a thousand under way.
 * A connection is closed when too many wait, or when their heads are too long together.
 */
export function servePipelined(serve: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, Line>()

  const begin = (socket: Socket, turn: Turn) => {
    const [request, response] = turn
    response.once('close', () => {
      const next = socket.destroyed ? undefined : waiting.get(socket)?.next()
      if (next) begin(socket, next)
      else waiting.delete(socket)
    })
    serve(request, response)
  }

  return (request, response) => {
    const { socket } = request
    const line = waiting.get(socket)
    if (line === undefined) {
      waiting.set(socket, new Line())
      begin(socket, [request, response])
    } else if (!line.add([request, response])) {
      socket.destroy()
    }
  }
}
