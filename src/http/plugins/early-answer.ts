import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import fastifyPlugin from 'fastify-plugin'

const drainMilliseconds = 10_000
const drainBytes = 64 * 2 ** 20

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
export const earlyAnswer = fastifyPlugin(
  async (app) => {
    app.addHook('onRequest', async ({ socket }, reply) => {
      latest.set(socket, reply)
    })
    app.addHook('onResponse', async ({ raw }) => {
      if (!raw.complete && !raw.destroyed) drain(raw)
    })
  },
  { name: 'early-answer' },
)

function drain(request: IncomingMessage): void {
  const { socket } = request
  const hangUp = () => socket.destroy()
  const timer = setTimeout(hangUp, drainMilliseconds)
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > drainBytes) hangUp()
  })
  request.once('end', hangUp)
  request.on('error', () => {})
  socket.once('close', () => clearTimeout(timer))
  socket.end()
  request.resume()
}
