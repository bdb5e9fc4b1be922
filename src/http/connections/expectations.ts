import type { IncomingMessage, RequestListener } from 'node:http'

const unknown = new WeakSet<IncomingMessage>()

/** Whether a request has an `Expect` other than `100-continue` (RFC 9110 section 10.1.1). */
export function hasUnknownExpectation(request: IncomingMessage): boolean {
  return unknown.has(request)
}

/** For `checkExpectation`: notes the request, which is then refused in the shape of its surface. */
export function markExpectation(serve: RequestListener): RequestListener {
  return (request, response) => {
    unknown.add(request)
    serve(request, response)
  }
}

/**
 * For `checkContinue`: a client that waits before it sends its body is told to go on when the server begins to read the body.
 * A client that is refused before gets the final status at once (RFC 9110 section 10.1.1).
 */
export function continueOnRead(serve: RequestListener): RequestListener {
  return (request, response) => {
    const read = request._read
    request._read = (size) => {
      request._read = read
      // A body that is read after the answer is thrown away, so the client is not asked for it.
      if (!response.headersSent && !response.destroyed) response.writeContinue()
      request._read(size)
    }
    serve(request, response)
  }
}
