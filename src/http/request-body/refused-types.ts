import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { hasBody } from './has-body.ts'

/**
 * Refuses bodies of these types on the routes of `app` before they are read, although a parser of the whole server takes them. A
 * body of no bytes is none: clients send the type with it all the same.
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
