import type { HTTPMethods } from 'fastify'
import { StowageError } from '#domain/errors.ts'
import type { App } from './app.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const satisfies HTTPMethods[]

/**
 * Fastify answers 404 where a path exists but not for this method. Between this call and `refuseOthers()` the routes of `app`
 * are noted; `refuseOthers()` adds a 405 with `Allow` (RFC 9110 section 15.5.6) for every method they lack.
 */
export function trackMethods(app: App): { refuseOthers(): void } {
  const allowed = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    // A wildcard stands for unknown addresses and is no address of its own.
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
    // Before the body is read: whatever it is, the method is wrong.
    onRequest: async (_request, reply) => {
      reply.header('allow', allow)
      throw new StowageError('method_not_allowed', `This address takes ${allow} only.`)
    },
    handler: async () => {},
  })
}
