import type { HTTPMethods } from 'fastify'
import { StowageError } from '#domain/errors.ts'
import type { App } from './app.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const satisfies HTTPMethods[]

/**
 * Records the routes of `app` that are added between this call and `refuseOthers()`. For every method that a path lacks,
 * `refuseOthers()` adds a 405 with `Allow` (RFC 9110 section 15.5.6), where Fastify alone would respond with 404.
 */
export function trackMethods(app: App): { refuseOthers(): void } {
  const allowed = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    // A wildcard matches unknown paths and is not a path itself.
    if (url.endsWith('*')) return
    const known = allowed.get(url) ?? new Set()
    for (const name of [method].flat()) known.add(name.toUpperCase())
    allowed.set(url, known)
  })
  return {
    refuseOthers() {
      for (const [url, known] of [...allowed]) addRefusal(app, url.slice(app.prefix.length), known)
    },
  }
}

function addRefusal(app: App, url: string, known: ReadonlySet<string>): void {
  const missing = methods.filter((method) => !known.has(method))
  const allow = [...known].sort().join(', ')
  app.route({
    method: missing,
    url,
    // Refused before the body is read, since no body can make the method right.
    onRequest: async (_request, reply) => {
      reply.header('allow', allow)
      throw new StowageError('method_not_allowed', `This address takes ${allow} only.`)
    },
    handler: async () => {},
  })
}
