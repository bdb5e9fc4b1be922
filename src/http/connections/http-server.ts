import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyServerFactory } from 'fastify'
import type { Config } from '#config/config.ts'
import { type ClientTimeouts, limits } from '#domain/limits.ts'
import { throttleLog } from '#http/logging.ts'
import { continueOnRead, markExpectation } from './expectations.ts'
import { servePipelined } from './pipelining.ts'
import { endSlowReaders, type ReaderLimits } from './slow-readers.ts'
import { coalesceChunks } from './small-chunks.ts'

export interface ConnectionLimits extends ReaderLimits {
  config: ReaderLimits['config'] & Pick<Config, 'maxConnections'>
  timeouts: ClientTimeouts
}

/** How often the heads that are late are looked for, in milliseconds. */
const headCheck = 2_000

/** For how long a client that has closed its side is taken for one that still reads, in milliseconds. */
const halfClosedTime = 3_000

/** For Fastify: Node's server, with a bound on what one connection, and all of them, may hold. */
export function boundedServer(connections: ConnectionLimits): FastifyServerFactory {
  return (handler) => {
    const serve: RequestListener = (request, response) => void handler(request, response)
    const server = createServer(serverOptions(connections.timeouts))
    answerHalfClosed(server)
    leaveEnded(server, connections.timeouts)
    boundConnections(server, connections)
    const inTurn = coalesceChunks(servePipelined(endSlowReaders(server, serve, connections)))
    server.on('request', inTurn)
    server.on('checkContinue', continueOnRead(inTurn))
    server.on('checkExpectation', markExpectation(inTurn))
    server.on('connect', (_request, socket) => refuseTunnel(socket as Socket))
    return server
  }
}

function serverOptions({ headTime }: ClientTimeouts) {
  return {
    // Longer than the idle time of the load balancers in front (nginx 75 s), or they reuse a connection we are closing: 502.
    keepAliveTimeout: 80_000,
    // From the first moment of a connection, so that one that sends nothing is closed too.
    headersTimeout: headTime,
    connectionsCheckingInterval: Math.min(headCheck, headTime / 4),
    // A large upload takes as long as it takes; silence, rate and slots are limited elsewhere.
    requestTimeout: 0,
  }
}

/**
 * A client that closes its side of the connection behind its request, as `nc -N` does, still reads, and gets its answer: Node would
 * end our side at once. It looks the same as one that has gone, until the first byte is sent; so that byte is waited for only
 * a moment.
 */
function answerHalfClosed(server: Server): void {
  // Node's own, though not in its types.
  Object.assign(server, { httpAllowHalfOpen: true })
  server.on('connection', (socket) => {
    socket.once('end', () => {
      const { bytesWritten } = socket
      const late = setTimeout(() => {
        if (socket.bytesWritten === bytesWritten) socket.destroy()
      }, halfClosedTime)
      socket.once('close', () => clearTimeout(late))
    })
  })
}

/**
 * A connection whose last answer has been sent is closed on our side alone, so that the client still gets that answer. One that does
 * not close its own side would hold it for ever.
 */
function leaveEnded(server: Server, { drainTime }: Pick<ClientTimeouts, 'drainTime'>): void {
  server.on('connection', (socket) => {
    socket.once('finish', () => {
      const late = setTimeout(() => socket.destroy(), drainTime)
      socket.once('close', () => clearTimeout(late))
    })
  })
}

function boundConnections(server: Server, { config, log, onRefusal }: ConnectionLimits): void {
  const tell = throttleLog(10_000)
  server.maxConnections = config.maxConnections
  server.maxHeadersCount = limits.headers
  server.on('drop', () => {
    onRefusal('connections')
    tell((more) => log().warn({ maxConnections: config.maxConnections, more }, 'connections are refused: too many'))
  })
}

/** A tunnel (RFC 9110 section 9.3.6) is opened by no address of ours. */
function refuseTunnel(socket: Socket): void {
  socket.on('error', () => {})
  socket.resume()
  socket.end('HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  // A client that neither reads nor leaves is not waited for.
  setTimeout(() => socket.destroy(), 1_000).unref()
}
