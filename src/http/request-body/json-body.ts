import { isUtf8 } from 'node:buffer'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'

/**
 * JSON bodies as Fastify reads them, `__proto__` refused, except that an empty body is no body: many clients send the
 * Content-Type with every request, DELETE included. What is not UTF-8 is refused: it would be read as something else.
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
