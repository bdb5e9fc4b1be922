import type { IncomingMessage, RequestListener } from 'node:http'

const withUnknownExpectation = new WeakSet<IncomingMessage>()

/** Whether a request has an `Expect` other than `100-continue` (RFC 9110 section 10.1.1). */
export function hasUnknownExpectation(request: IncomingMessage): boolean {
  return withUnknownExpectation.has(request)
}

/** A listener for `checkExpectation`: marks the request, so that it is refused in the shape of its surface. */
export function markExpectation(serve: RequestListener): RequestListener {
  return (request, response) => {
    withUnknownExpectation.add(request)
    serve(request, response)
  }
}

/**
 * A listener for `checkContinue`: sends 100 Continue when the server begins to read the body. A client that is refused before that
 * gets the final status at once (RFC 9110 section 10.1.1).
 */
export function continueOnRead(serve: RequestListener): RequestListener {
  return (request, response) => {
    const read = request._read
    request._read = (size) => {
      request._read = read
      // A body that is read after the response is discarded, so the client should not send it.
      if (!response.headersSent && !response.destroyed) response.writeContinue()
      request._read(size)
    }
    serve(request, response)
  }
}
