import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { parse } from 'node:querystring'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'

/** Whether a request has a body of at least one byte, as far as its head tells. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0'
  return headers['transfer-encoding'] !== undefined || Number(length) > 0
}

/**
 * JSON bodies as Fastify reads them, `__proto__` refused, except that an empty body is no body: many clients send the
 * Content-Type with every request, DELETE included. A body that is not UTF-8 is refused, because it would be read as another text.
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
 * Reads a body of type application/x-www-form-urlencoded, for @fastify/formbody.
 * @throws StowageError `invalid` for bytes or escapes that are not UTF-8, because they would be read as another text
 */
export function parseUrlEncoded(body: string): Record<string, unknown> {
  try {
    // A byte that is not UTF-8 has been replaced; this character itself is always sent as %EF%BF%BD.
    if (body.includes('\ufffd')) throw new URIError('bytes that are not UTF-8')
    // Only for its errors: the parser takes an escape that it cannot decode as it is written.
    decodeURIComponent(body)
    return parse(body, '&', '=', { maxKeys: 0 })
  } catch (cause) {
    throw new StowageError('invalid', 'The body is not UTF-8, percent-encoded. Encode it so.', { cause })
  }
}

/**
 * Refuses bodies of these types on the routes of `app` before they are read, although a parser of the whole server takes them. An
 * empty body is no body: clients send the type with it all the same.
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
