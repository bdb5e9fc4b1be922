import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { parse } from 'node:querystring'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'

/** Whether the head of a request announces a body of at least one byte. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0'
  return headers['transfer-encoding'] !== undefined || Number(length) > 0
}

/**
 * Parses JSON bodies as Fastify does, with `__proto__` refused. An empty body counts as no body, because many clients send the
 * Content-Type with every request, DELETE included. A body that is not UTF-8 is refused, because decoding would change its text.
 */
export function readJsonBodies(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined)
    else if (isUtf8(body)) parse(request, body.toString(), done)
    else done(new StowageError('invalid', 'The body is not valid UTF-8. Encode it so.'))
  })
}

/**
 * Parses a body of type application/x-www-form-urlencoded, for @fastify/formbody.
 * @throws StowageError `invalid` for bytes or escapes that are not UTF-8, because decoding would change their text
 */
export function parseUrlEncoded(body: string): Record<string, unknown> {
  try {
    // U+FFFD replaces bytes that are not UTF-8. The character itself is always sent as %EF%BF%BD.
    if (body.includes('\ufffd')) throw new URIError('bytes that are not UTF-8')
    // Called only to throw: the parser keeps an escape that it cannot decode as written.
    decodeURIComponent(body)
    return parse(body, '&', '=', { maxKeys: 0 })
  } catch (cause) {
    throw new StowageError('invalid', 'The body is not UTF-8, percent-encoded. Encode it so.', { cause })
  }
}

/**
 * Refuses bodies of these types on the routes of `app` before they are read, although the server as a whole has parsers for them. An
 * empty body counts as no body, because clients send the Content-Type without one too.
 */
export function refuseTypes(app: App, types: readonly string[]): void {
  for (const type of types) {
    app.removeContentTypeParser(type)
    app.addContentTypeParser(type, ({ raw }, _body, done) => {
      if (hasBody(raw))
        done(new StowageError('unsupported_media_type', 'This Content-Type is not taken here. See the documentation.'))
      else done(null, undefined)
    })
  }
}
