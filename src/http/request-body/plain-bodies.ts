import type { IncomingMessage } from 'node:http'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { watchBody } from './body-watch.ts'
import { hasBody } from './parsers.ts'

/**
 * Ends a request whose body is parsed as a whole and stalls, arrives too slowly or not within `plainBodyTime` milliseconds. Node's
 * `requestTimeout` would apply to uploads too. An upload watches its own body, because only the upload can tell a silent client from
 * one that is held back.
 */
export function limitPlainBodies(app: App, context: Pick<HttpContext, 'config' | 'timeouts'>): void {
  const { plainBodyTime } = context.timeouts
  app.addHook('preParsing', async ({ raw, routeOptions }, reply, body) => {
    if (hasBody(raw)) refuseEncoded(raw)
    if (routeOptions.config.readsBodyAsStream || !hasBody(raw) || raw.complete) return body
    const refuse = (error: unknown) => {
      // The body parser could fail as well and send a second response.
      raw.removeAllListeners('data')
      if (!reply.sent) reply.send(error)
    }
    const watch = watchBody(raw, context)
    watch.signal.addEventListener('abort', () => refuse(watch.signal.reason))
    const timer = setTimeout(() => {
      if (!raw.complete) refuse(tooLate(plainBodyTime))
    }, plainBodyTime)
    reply.raw.once('close', () => {
      clearTimeout(timer)
      watch[Symbol.dispose]()
    })
    watch.signal.throwIfAborted()
    return body
  })
}

/**
 * Refuses content codings (RFC 9110 section 8.4), since the server decodes none.
 * @throws StowageError `unsupported_media_type`
 */
function refuseEncoded({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity')
    throw new StowageError('unsupported_media_type', 'Send the body as it is, without Content-Encoding.')
}

function tooLate(milliseconds: number): StowageError {
  return new StowageError('timeout', `The body did not arrive within ${milliseconds / 1000} s. Send it again.`)
}
