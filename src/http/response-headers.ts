import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyCorsOptions } from '@fastify/cors'
import type { Config } from '#config/config.ts'
import type { App } from './app.ts'

/**
 * The headers of every response, unless its route sets others. Browsers do not sniff its type. Caches revalidate it before reuse,
 * because a response of either API is for one user at one moment. With `no-store`, Chromium would hold the connection of a
 * response that its page does not read.
 */
export const defaultHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'private, no-cache' }

export function setDefaultHeaders(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(defaultHeaders)
  })
}

/**
 * The headers that a page may read in addition to the seven CORS-safelisted ones. Without `Accept-Ranges`, document viewers load
 * the whole file.
 */
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

/** Lets pages of `CORS_ORIGINS` call both APIs with the cookie, and read the headers of a download. */
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

/** The CORS headers of a response outside of all routes. Without them, a page gets "Failed to fetch" instead of the error. */
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
