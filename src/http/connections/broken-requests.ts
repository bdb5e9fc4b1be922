import type { Socket } from 'node:net'
import type { ConnectionError, FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '#config/config.ts'
import { StowageError } from '#domain/errors.ts'
import { bearerApiError } from '#http/bearer-api/errors.ts'
import type { HttpContext } from '#http/http-context.ts'
import { corsHeaders, defaultHeaders } from '#http/response-headers.ts'
import { sessionApiError } from '#http/session-api/errors.ts'
import { bodyBroken } from './broken-body.ts'
import { latestReply } from './lingering-close.ts'

/** Responds to a URL that cannot be decoded, which reaches no route, in the shape of the surface of its path. */
export function answerBadUrl(
  context: Pick<HttpContext, 'publicUrl' | 'config'>,
  error: Error,
  { raw, headers: requestHeaders }: FastifyRequest,
  reply: FastifyReply,
): void {
  const isSessionApi = raw.url?.startsWith('/api/')
  const { status, headers, body } = isSessionApi ? sessionApiError(error) : bearerApiError(error, context)
  reply
    .code(status)
    .headers({ ...defaultHeaders, ...corsHeaders(context.config, requestHeaders), ...headers })
    .send(body)
}

/** @see respondToBrokenRequest */
export function brokenRequestHandler(config: Pick<Config, 'corsOrigins'>) {
  return (error: ConnectionError, socket: Socket) => respondToBrokenRequest(config, error, socket)
}

/**
 * Bytes that are not HTTP, and heads that are too long, belong to no surface. They get a plain-text response, and the connection
 * ends. A body that breaks off belongs to a request, so the response has the shape of its surface.
 */
function respondToBrokenRequest(config: Pick<Config, 'corsOrigins'>, error: ConnectionError, socket: Socket): void {
  const reply = latestReply(socket)
  const isInBody = reply !== undefined && !reply.request.raw.complete
  const isResponseEnded = reply === undefined || reply.raw.writableEnded
  // The rest of a body is discarded after an early response, even if it is not HTTP.
  if (isInBody && isResponseEnded) return
  const isHeadSent = !isResponseEnded && reply.raw.headersSent
  if (error.code === 'ECONNRESET' || !socket.writable || isHeadSent) socket.destroy()
  else if (!isInBody) respondPlainly(config, error, socket, reply?.request.headers.origin)
  else if (!reply.request.raw.emit(bodyBroken))
    reply.send(new StowageError('invalid', 'The body broke off. Send it again.'))
}

/** @param previousOrigin the `Origin` of the previous request on the connection */
function respondPlainly(
  config: Pick<Config, 'corsOrigins'>,
  error: ConnectionError,
  socket: Socket,
  previousOrigin: string | undefined,
): void {
  const { code } = error
  const [status, text] =
    code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'The headers are too large or too many. Shorten them.']
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'The headers did not arrive in time. Send the request again.']
        : ['400 Bad Request', 'This is not a valid HTTP request.']
  const headers = {
    'content-type': 'text/plain',
    'content-length': text.length,
    connection: 'close',
    ...defaultHeaders,
    // Without a known origin, a sole configured origin is assumed. The response holds nothing confidential.
    ...corsHeaders(config, { origin: originIn(error) ?? previousOrigin ?? soleOrigin(config.corsOrigins) }),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${text}`)
}

function soleOrigin(origins: readonly string[]): string | undefined {
  return origins.length === 1 ? origins[0] : undefined
}

/** The `Origin` in a head that cannot be parsed. Only the bytes of the chunk with the fault are known. */
function originIn({ rawPacket }: { rawPacket?: unknown }): string | undefined {
  const text = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : ''
  return /^origin:[ \t]*(\S+)[ \t]*\r$/im.exec(text)?.[1]
}
