import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyCorsOptions } from '@fastify/cors'
import type { Config } from '#config/config.ts'
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

/** What a page may read beside the seven headers that any may: `Accept-Ranges`, or a viewer of documents loads them whole. */
const exposedHeaders = [
  'Accept-Ranges',
  'Allow',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Location',
  'Repr-Digest',
  'Retry-After',
]

/** Pages of `CORS_ORIGINS` may call both APIs, with the cookie, and read what a download tells in its headers. */
export function corsOptions({ corsOrigins }: Pick<Config, 'corsOrigins'>): FastifyCorsOptions {
  return {
    origin: corsOrigins.length > 0 && corsOrigins,
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders,
    maxAge: 3600,
    strictPreflight: false,
  }
}

/** The same for answers that reach no route, without which a page sees no error but "Failed to fetch". */
export function corsHeaders(
  { corsOrigins }: Pick<Config, 'corsOrigins'>,
  { origin }: Pick<IncomingHttpHeaders, 'origin'>,
): Record<string, string> {
  if (corsOrigins.length === 0) return {}
  if (origin === undefined || !corsOrigins.includes(origin)) return { vary: 'Origin' }
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': exposedHeaders.join(', '),
  }
}
