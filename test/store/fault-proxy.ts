import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Test } from 'tap'

/** An S3 operation, by the name of its command. */
export type Operation =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CreateMultipartUpload'
  | 'DeleteObject'
  | 'GetObject'
  | 'HeadObject'
  | 'ListMultipartUploads'
  | 'ListObjectVersions'
  | 'PutObject'
  | 'UploadPart'
  | 'other'

/** A request on its way to the real store, and the ways to let it go wrong. */
export interface Exchange {
  operation: Operation
  /** Which time this operation is asked for, from 1. */
  nth: number
  request: IncomingMessage
  response: ServerResponse
  /** Lets it through unharmed. */
  pass(): Promise<void>
  /** Asks for the bytes, where the client waits to be asked (RFC 9110 section 10.1.1). */
  ask(): void
  /** Lets it through to the store, but keeps the answer back; `change` may falsify the bytes sent. */
  deliver(change?: (bytes: Buffer) => Buffer): Promise<{ status: number; body: string }>
  /** Answers in the store's place; the bytes sent are left unread, and not asked for. */
  answer(status: number, body?: string): void
  /** Breaks the connection. */
  cut(): void
}

export interface FaultProxy {
  endpoint: string
  /** What is done with each request; at first, all pass. Doing nothing is a store that never answers. */
  fault: (exchange: Exchange) => unknown
  /** What was asked for, in order. */
  seen: { operation: Operation; headers: IncomingHttpHeaders; request: IncomingMessage }[]
  /** How many of the connections are open over which this was asked for. */
  openFor(operation: Operation): number
  /** Connections that are open. */
  sockets: Set<Socket>
  /** Connections that were ever opened. */
  connections: number
  /** Objects being read at present. */
  openReads(): number
}

/** A proxy in front of the real store that does to each request what a test wants. It is gone when the test ends. */
export async function openFaultProxy(t: Test, target: string): Promise<FaultProxy> {
  let reads = 0
  const receive = (request: IncomingMessage, response: ServerResponse) => {
    const operation = operationOf(request)
    proxy.seen.push({ operation, headers: request.headers, request })
    const nth = proxy.seen.filter((one) => one.operation === operation).length
    request.on('error', () => {})
    if (operation === 'GetObject') {
      reads += 1
      response.once('close', () => {
        reads -= 1
      })
    }
    const exchange = exchangeOf({ operation, nth, request, response }, target)
    // Either side may hang up at any time; that is what the tests are about.
    respond(exchange).catch(() => response.destroy())
  }
  const server = createServer({ requestTimeout: 0 }, receive)
  // Node would ask for the bytes by itself.
  server.on('checkContinue', receive)
  const respond = async (exchange: Exchange) => await proxy.fault(exchange)
  const proxy: FaultProxy = {
    endpoint: '',
    fault: (exchange) => exchange.pass(),
    seen: [],
    openFor(operation) {
      const sockets = proxy.seen.filter((one) => one.operation === operation).map(({ request }) => request.socket)
      return new Set(sockets.filter(({ closed }) => !closed)).size
    },
    sockets: new Set(),
    connections: 0,
    openReads: () => reads,
  }
  server.on('connection', (socket) => {
    proxy.connections += 1
    proxy.sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => proxy.sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return proxy
}

/** S3's way to answer an error. */
export function errorBody(code: string, message = code): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`
}

function exchangeOf(
  { operation, nth, request, response }: Pick<Exchange, 'operation' | 'nth' | 'request' | 'response'>,
  target: string,
): Exchange {
  return {
    operation,
    nth,
    request,
    response,
    pass: () => relay(request, response, target).catch(() => void response.destroy()),
    ask: () => ask(request, response),
    async deliver(change = (bytes) => bytes) {
      ask(request, response)
      const toStore = openRequest(request, target)
      toStore.end(change(await buffer(request)))
      const [answer] = (await once(toStore, 'response')) as [IncomingMessage]
      return { status: answer.statusCode ?? 0, body: await text(answer) }
    },
    answer(status, body = '') {
      response.writeHead(status, { 'content-length': Buffer.byteLength(body), 'content-type': 'application/xml' })
      response.end(body)
    },
    cut: () => request.socket.destroy(),
  }
}

async function relay(request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
  const toStore = openRequest(request, target)
  const answered = once(toStore, 'response') as Promise<[IncomingMessage]>
  answered.catch(() => {})
  // With this header, nothing is sent before the store asks for it, and then it is the store that asks.
  if (request.headers.expect === undefined) request.pipe(toStore)
  toStore.once('continue', () => {
    ask(request, response)
    request.pipe(toStore)
  })
  response.once('close', () => toStore.destroy())
  const [answer] = await answered
  const { connection: _, ...headers } = answer.headers
  response.writeHead(answer.statusCode ?? 502, headers)
  await pipeline(answer, response)
}

function ask(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.expect !== undefined) response.writeContinue()
}

/** The same request to the store, broken off when the client breaks off. */
function openRequest(source: IncomingMessage, target: string) {
  const { hostname, port } = new URL(target)
  // The host stays as it was: it is part of what the client signed.
  const toStore = request({ hostname, port, method: source.method, path: source.url, headers: source.headers })
  toStore.on('error', () => {})
  source.once('close', () => {
    if (!source.complete) toStore.destroy()
  })
  return toStore
}

function operationOf({ method, url }: IncomingMessage): Operation {
  const { pathname, searchParams: query } = new URL(url ?? '/', 'http://store')
  const isObject = pathname.split('/').length > 2 && !pathname.endsWith('/')
  switch (method) {
    case 'PUT':
      return query.has('partNumber') ? 'UploadPart' : isObject ? 'PutObject' : 'other'
    case 'POST':
      return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload'
    case 'DELETE':
      return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject'
    case 'HEAD':
      return isObject ? 'HeadObject' : 'other'
    default:
      if (query.has('uploads')) return 'ListMultipartUploads'
      return query.has('versions') ? 'ListObjectVersions' : isObject ? 'GetObject' : 'other'
  }
}
