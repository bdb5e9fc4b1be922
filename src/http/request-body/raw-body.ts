import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { typeTooLong } from '#domain/content-type.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import type { App } from '#http/app.ts'

/** Leaves the bodies of the routes of `app` to be streamed, whatever their Content-Type. */
export function takeRawBodies(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
}

/**
 * What the client claims the body to be.
 * @throws StowageError `unsupported_media_type` for a form, of which the file would be a part; `invalid` for a claim that
 *   is too long to be one
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
 * How many bytes the body has that is a whole file as it is.
 * @throws StowageError `length_required`, `invalid` for a part of a file: a server that would take that for the whole must
 *   refuse it (RFC 9110 section 14.5)
 */
export function rawBodyLength(headers: IncomingHttpHeaders): number {
  if (headers['content-range'] !== undefined)
    throw new StowageError('invalid', 'A part of a file is not taken here. Send the whole, without Content-Range.')
  if (headers['content-length'] === undefined)
    throw new StowageError('length_required', 'Send the length of the file as Content-Length.')
  return Number(headers['content-length'])
}

/**
 * The body, piped into a stream of its own when the first chunk is asked for. Giving it up destroys only that stream, so the
 * connection can still carry the response. It does not end when the client hangs up; `watchBody` notices that.
 */
export function rawBody(request: IncomingMessage): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => request.pipe(new PassThrough())[Symbol.asyncIterator]() }
}
