import type { IncomingMessage, RequestListener } from 'node:http'

const unknown = new WeakSet<IncomingMessage>()

/** Whether a request expects something that nobody here knows (RFC 9110 section 10.1.1). */
export function expectsTheUnknown(request: IncomingMessage): boolean {
  return unknown.has(request)
}

/** For `checkExpectation`: the request is refused like others, in the shape of its surface. */
export function noteExpectation(serve: RequestListener): RequestListener {
  return (request, response) => {
    unknown.add(request)
    serve(request, response)
  }
}

/**
 * For `checkContinue`: a client that waits before it sends its body is told to go on when somebody begins to read that, and
 * not before. Whoever is refused gets the final status at once (RFC 9110 section 10.1.1).
 */
export function askForBody(serve: RequestListener): RequestListener {
  return (request, response) => {
    const read = request._read
    request._read = (size) => {
      request._read = read
      // What is read after the answer is thrown away: it is not asked for.
      if (!response.headersSent && !response.destroyed) response.writeContinue()
      request._read(size)
    }
    serve(request, response)
  }
}
