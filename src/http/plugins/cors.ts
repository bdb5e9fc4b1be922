import type { FastifyCorsOptions } from '@fastify/cors'
import type { Config } from '../../config.ts'

/** Pages of `CORS_ORIGINS` may call both APIs, with the cookie, and read what a download tells in its headers. */
export function corsOptions({ corsOrigins }: Pick<Config, 'corsOrigins'>): FastifyCorsOptions {
  return {
    origin: corsOrigins.length > 0 && corsOrigins,
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['Content-Disposition', 'Content-Range', 'ETag', 'Location', 'Repr-Digest', 'Retry-After'],
    maxAge: 3600,
    strictPreflight: false,
  }
}
