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

/** An address that cannot be decoded reaches no route; it is answered in the shape of the surface it points at. */
export function answerBadUrl(
  deps: Pick<HttpContext, 'publicUrl' | 'config'>,
  error: Error,
  { raw, headers: asked }: FastifyRequest,
  reply: FastifyReply,
): void {
  const isSessionApi = raw.url?.startsWith('/api/')
  const { status, headers, body } = isSessionApi ? sessionApiError(error) : bearerApiError(error, deps)
  reply
    .code(status)
    .headers({ ...defaultHeaders, ...corsHeaders(deps.config, asked), ...headers })
    .send(body)
}

/** @see answerBrokenRequest */
export function brokenRequestHandler(config: Pick<Config, 'corsOrigins'>) {
  return (error: ConnectionError, socket: Socket) => answerBrokenRequest(config, error, socket)
}

/**
 * Bytes that are no HTTP, and heads that are too long, belong to no surface: they get a plain answer and the end of the
 * connection. A body that breaks off belongs to a request, which is answered in the shape of its surface.
 */
function answerBrokenRequest(config: Pick<Config, 'corsOrigins'>, error: ConnectionError, socket: Socket): void {
  const reply = latestReply(socket)
  const isInBody = reply !== undefined && !reply.request.raw.complete
  const isAnswered = reply === undefined || reply.raw.writableEnded
  // What still comes after an early answer is thrown away, whatever it is.
  if (isInBody && isAnswered) return
  const isAnswering = !isAnswered && reply.raw.headersSent
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering) socket.destroy()
  else if (!isInBody) answerPlainly(config, error, socket, reply?.request.headers.origin)
  else if (!reply.request.raw.emit(bodyBroken))
    reply.send(new StowageError('invalid', 'The body broke off. Send it again.'))
}

/** @param earlier the `Origin` of the request before, over the same connection */
function answerPlainly(
  config: Pick<Config, 'corsOrigins'>,
  error: ConnectionError,
  socket: Socket,
  earlier: string | undefined,
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
    // Where it is not known who asks, but only one may: the answer tells nothing that another could not know.
    ...corsHeaders(config, { origin: originIn(error) ?? earlier ?? onlyOne(config.corsOrigins) }),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${text}`)
}

function onlyOne(origins: readonly string[]): string | undefined {
  return origins.length === 1 ? origins[0] : undefined
}

/** The `Origin` in a head that was not understood: only the bytes of the chunk in which it broke are known. */
function originIn({ rawPacket }: { rawPacket?: unknown }): string | undefined {
  const text = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : ''
  return /^origin:[ \t]*(\S+)[ \t]*\r$/im.exec(text)?.[1]
}
