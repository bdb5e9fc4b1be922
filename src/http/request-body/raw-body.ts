import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { typeTooLong } from '#domain/content-type.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import type { App } from '#http/app.ts'

/** Leaves the bodies of the routes of `app` unparsed, with any Content-Type, so that the routes stream them. */
export function takeRawBodies(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
}

/**
 * The media type that the client claims for the body.
 * @throws StowageError `unsupported_media_type` for a form, which holds the file as a part; `invalid` for a type that is too long
 */
export function rawContentType(headers: IncomingHttpHeaders): string | undefined {
  const type = headers['content-type']
  if (type !== undefined && type.length > limits.contentType) throw typeTooLong(type.length)
  if (type !== undefined && /^multipart\/form-data\b/i.test(type))
    throw new StowageError(
      'unsupported_media_type',
      'Send the file as it is here. A form goes to POST /api/v1/messages/:messageId/attachments.',
    )
  return type
}

/**
 * The length in bytes of a body that is a whole file.
 * @throws StowageError `length_required`; `invalid` for a part of a file, which a server without partial PUT should refuse with 400
 *   (RFC 9110 section 14.5)
 */
export function rawBodyLength(headers: IncomingHttpHeaders): number {
  if (headers['content-range'] !== undefined)
    throw new StowageError('invalid', 'A part of a file is not taken here. Send the whole, without Content-Range.')
  if (headers['content-length'] === undefined)
    throw new StowageError('length_required', 'Send the length of the file as Content-Length.')
  return Number(headers['content-length'])
}

/**
 * The body, piped into a separate stream as soon as an iterator is requested. Ending the iteration destroys only that stream, so the
 * connection can still carry the response. The stream does not end when the client disconnects; `watchBody` detects that.
 */
export function rawBody(request: IncomingMessage): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => request.pipe(new PassThrough())[Symbol.asyncIterator]() }
}
