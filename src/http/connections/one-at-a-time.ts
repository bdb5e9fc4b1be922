import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { limits } from '../../limits.ts'

type Turn = [IncomingMessage, ServerResponse]

/**
 * Serves the requests of a connection one after another. Their answers leave in that order in any case (RFC 9112 section
 * 9.3.2), but Node hands out every request that has come: whoever sends a thousand at once would have a thousand under way.
 * A connection with too many that wait is closed.
 */
export function oneAtATime(serve: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, Turn[]>()

  const begin = (socket: Socket, turn: Turn) => {
    const [request, response] = turn
    response.once('close', () => {
      const next = socket.destroyed ? undefined : waiting.get(socket)?.shift()
      if (next) begin(socket, next)
      else waiting.delete(socket)
    })
    serve(request, response)
  }

  return (request, response) => {
    const { socket } = request
    const line = waiting.get(socket)
    if (line === undefined) {
      waiting.set(socket, [])
      begin(socket, [request, response])
    } else if (line.length < limits.pipelined) {
      line.push([request, response])
    } else {
      socket.destroy()
    }
  }
}
