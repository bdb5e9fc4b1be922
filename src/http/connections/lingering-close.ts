import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { type ClientTimeouts, limits } from '#domain/limits.ts'

/** The reply to the latest request on each connection. */
const latestReplies = new WeakMap<Socket, FastifyReply>()

export function latestReply(socket: Socket): FastifyReply | undefined {
  return latestReplies.get(socket)
}

/**
 * Lets a client that is still sending its body receive an early response, such as the refusal of an upload. Closing the connection
 * at once would reset it, and the client would never see the response. So the server closes only its own side, and discards the
 * rest of the body, up to a limit of `drainTime` milliseconds and of `limits.drainBytes` bytes.
 */
export const lingeringClose = fastifyPlugin(
  async (app, { drainTime }: Pick<ClientTimeouts, 'drainTime'>) => {
    const respondedEarly = new WeakSet<IncomingMessage>()
    app.addHook('onRequest', async ({ socket }, reply) => {
      latestReplies.set(socket, reply)
    })
    app.addHook('onSend', async ({ raw, socket }, reply) => {
      // A short body may have arrived together with the head and be parsed right after it.
      if (!raw.complete) await nextTurn()
      if (raw.complete) return
      respondedEarly.add(raw)
      reply.header('connection', 'close')
      // Node's `destroySoon` would reset the connection.
      socket.destroySoon = () => socket.end()
    })
    app.addHook('onResponse', async ({ raw, socket }) => {
      // A download bypasses `onSend`. Node would wait forever for the rest of its request.
      const isUnread = !raw.complete && !socket.destroyed
      if (respondedEarly.has(raw) || isUnread) drain(raw, drainTime)
    })
  },
  { name: 'lingering-close' },
)

function drain(request: IncomingMessage, drainTime: number): void {
  const { socket } = request
  const disconnect = () => socket.destroy()
  const deadline = performance.now() + drainTime
  const maxBytesRead = socket.bytesRead + limits.drainBytes
  const watch = setInterval(() => {
    if (performance.now() > deadline || socket.bytesRead > maxBytesRead) disconnect()
  }, 100)
  const end = () => {
    clearInterval(watch)
    // Once the response is sent, Node no longer destroys a request with its connection, and the request may still have a reader.
    request.destroy()
  }
  if (socket.closed) end()
  else socket.once('close', end)
  request.on('error', () => {})
  request.once('end', disconnect)
  if (request.readableEnded) disconnect()
  // A parser without a reader would pause the request or buffer it.
  request.unpipe()
  request.resume()
}
