import type { App } from '../app.ts'

/**
 * JSON bodies as Fastify reads them, `__proto__` refused, except that an empty body is no body: many clients send the
 * Content-Type with every request, DELETE included.
 */
export function readJsonBodies(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body, done)
  })
}
