import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { type ClientTimeouts, limits } from '#domain/limits.ts'

/** The latest request that came over a connection. */
const latest = new WeakMap<Socket, FastifyReply>()

export function latestReply(socket: Socket): FastifyReply | undefined {
  return latest.get(socket)
}

/**
 * When a request is answered before its body has been read, as a refused upload is, closing the connection at once would
 * reset it, and the client, still sending, would never see the answer. So the connection is half-closed, which tells the
 * client that no more will come, and what it still sends is thrown away, up to a bound in time and bytes.
 */
export const lingeringClose = fastifyPlugin(
  async (app, { drainTime }: Pick<ClientTimeouts, 'drainTime'>) => {
    const early = new WeakSet<IncomingMessage>()
    app.addHook('onRequest', async ({ socket }, reply) => {
      latest.set(socket, reply)
    })
    app.addHook('onSend', async ({ raw, socket }, reply) => {
      // A short body may have come along with the headers and be parsed right after them.
      if (!raw.complete) await nextTurn()
      if (raw.complete) return
      early.add(raw)
      reply.header('connection', 'close')
      // Node's own `destroySoon` would reset the connection.
      socket.destroySoon = () => socket.end()
    })
    app.addHook('onResponse', async ({ raw, socket }) => {
      // A download does not pass through `onSend`; Node would wait for the rest of its request for ever.
      const isLeft = !raw.complete && !socket.destroyed
      if (early.has(raw) || isLeft) drain(raw, drainTime)
    })
  },
  { name: 'early-answer' },
)

function drain(request: IncomingMessage, drainTime: number): void {
  const { socket } = request
  const hangUp = () => socket.destroy()
  const latestEnd = performance.now() + drainTime
  const mostBytes = socket.bytesRead + limits.drainBytes
  const watch = setInterval(() => {
    if (performance.now() > latestEnd || socket.bytesRead > mostBytes) hangUp()
  }, 100)
  const end = () => {
    clearInterval(watch)
    // Node closes a request with its connection only until it is answered, and somebody may still be reading it.
    request.destroy()
  }
  if (socket.closed) end()
  else socket.once('close', end)
  request.on('error', () => {})
  request.once('end', hangUp)
  if (request.readableEnded) hangUp()
  // A parser that nobody reads from any more would hold it back, or collect it.
  request.unpipe()
  request.resume()
}
