import { parse } from 'node:querystring'
import { StowageError } from '#domain/errors.ts'

/**
 * Reads a body of type application/x-www-form-urlencoded, for @fastify/formbody.
 * @throws StowageError `invalid` for bytes or escapes that are not UTF-8: they would be read as something else
 */
export function parseUrlEncoded(body: string): Record<string, unknown> {
  try {
    // A byte that is not UTF-8 has been replaced; this character itself is always sent as %EF%BF%BD.
    if (body.includes('\ufffd')) throw new URIError('bytes that are not UTF-8')
    // Read once for what it throws: the parser takes what it cannot decode as it is written.
    decodeURIComponent(body)
    return parse(body, '&', '=', { maxKeys: 0 })
  } catch (cause) {
    throw new StowageError('invalid', 'The body is not UTF-8, percent-encoded. Encode it so.', { cause })
  }
}
