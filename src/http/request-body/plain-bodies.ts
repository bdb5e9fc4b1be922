import type { IncomingMessage } from 'node:http'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { watchBody } from './body-watch.ts'
import { hasBody } from './parsers.ts'

/**
 * Ends requests whose body is read as a whole and stops coming, comes too slowly, or has not come in time. Node's own limit of a
 * request would hold for uploads too. Uploads watch their own bodies, because only they can tell a client that is silent from one
 * that is held back.
 */
export function limitPlainBodies(app: App, deps: Pick<HttpContext, 'config' | 'timeouts'>): void {
  const { plainBodyTime } = deps.timeouts
  app.addHook('preParsing', async ({ raw, routeOptions }, reply, body) => {
    if (hasBody(raw)) refuseEncoded(raw)
    if (routeOptions.config.readsBodyAsStream || !hasBody(raw) || raw.complete) return body
    const giveUp = (error: unknown) => {
      // What reads the body could find a fault of its own, and answer too.
      raw.removeAllListeners('data')
      if (!reply.sent) reply.send(error)
    }
    const transfer = watchBody(raw, deps)
    transfer.signal.addEventListener('abort', () => giveUp(transfer.signal.reason))
    const late = setTimeout(() => {
      if (!raw.complete) giveUp(tooLate(plainBodyTime))
    }, plainBodyTime)
    reply.raw.once('close', () => {
      clearTimeout(late)
      transfer[Symbol.dispose]()
    })
    transfer.signal.throwIfAborted()
    return body
  })
}

/**
 * A body is taken as it is: no coding is undone anywhere (RFC 9110 section 8.4).
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
