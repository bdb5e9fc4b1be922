import type { App } from './app.ts'

/**
 * The headers of every answer, unless its route sets others: browsers take its type as it is, and caches ask before they give it
 * again, because an answer of either API is for one user at one moment. With `no-store`, Chromium would hold the connection of an
 * answer that a page does not read.
 */
export const defaultHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'private, no-cache' }

export function setDefaultHeaders(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(defaultHeaders)
  })
}
