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

/** Milliseconds between two checks for late heads. */
const headCheckInterval = 2_000

/** Milliseconds for which a client that has closed its side is assumed to still read. */
const halfClosedTime = 3_000

/** Creates the Node server for Fastify, which bounds the resources of each connection and of all connections together. */
export function boundedServer(connections: ConnectionLimits): FastifyServerFactory {
  return (handler) => {
    const serve: RequestListener = (request, response) => void handler(request, response)
    const server = createServer(serverOptions(connections.timeouts))
    keepHalfOpen(server)
    boundHalfClosed(server, connections.timeouts)
    boundConnections(server, connections)
    const listener = coalesceChunks(servePipelined(endSlowReaders(server, serve, connections)))
    server.on('request', listener)
    server.on('checkContinue', continueOnRead(listener))
    server.on('checkExpectation', markExpectation(listener))
    server.on('connect', (_request, socket) => refuseTunnel(socket as Socket))
    return server
  }
}

function serverOptions({ headTime }: ClientTimeouts) {
  return {
    // Longer than the idle timeout of load balancers (nginx: 75 s). Otherwise they reuse a connection that is closing: 502.
    keepAliveTimeout: 80_000,
    // Counted from the start of a connection, so that a silent one is closed too.
    headersTimeout: headTime,
    connectionsCheckingInterval: Math.min(headCheckInterval, headTime / 4),
    // The duration of an upload has no limit. Idle time, rate and slots are limited elsewhere.
    requestTimeout: 0,
  }
}

/**
 * Lets a client that closes its side of the connection after its request, as `nc -N` does, read the response. Node alone would
 * close the server's side at once. Until the first byte is sent, such a client looks the same as one that has disconnected, so the
 * response must begin within `halfClosedTime`.
 */
function keepHalfOpen(server: Server): void {
  // An option of Node's that its types lack.
  Object.assign(server, { httpAllowHalfOpen: true })
  server.on('connection', (socket) => {
    socket.once('end', () => {
      const { bytesWritten } = socket
      const timer = setTimeout(() => {
        if (socket.bytesWritten === bytesWritten) socket.destroy()
      }, halfClosedTime)
      socket.once('close', () => clearTimeout(timer))
    })
  })
}

/**
 * Destroys a connection `drainTime` milliseconds after the server has closed its side. After the last response, the server closes
 * only that side, so that the client still receives the response. A client that never closes the other would hold the connection
 * forever.
 */
function boundHalfClosed(server: Server, { drainTime }: Pick<ClientTimeouts, 'drainTime'>): void {
  server.on('connection', (socket) => {
    socket.once('finish', () => {
      const timer = setTimeout(() => socket.destroy(), drainTime)
      socket.once('close', () => clearTimeout(timer))
    })
  })
}

function boundConnections(server: Server, { config, log, onRefusal }: ConnectionLimits): void {
  const logThrottled = throttleLog(10_000)
  server.maxConnections = config.maxConnections
  server.maxHeadersCount = limits.headers
  server.on('drop', () => {
    onRefusal('connections')
    logThrottled((more) =>
      log().warn({ maxConnections: config.maxConnections, more }, 'connections are refused: too many'),
    )
  })
}

/** Refuses CONNECT (RFC 9110 section 9.3.6): no path of this server opens a tunnel. */
function refuseTunnel(socket: Socket): void {
  socket.on('error', () => {})
  socket.resume()
  socket.end('HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  // A client that neither reads nor disconnects is not waited for.
  setTimeout(() => socket.destroy(), 1_000).unref()
}
