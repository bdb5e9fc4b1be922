import rateLimit from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import type { Config } from '#config/config.ts'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { connectionClosed } from '#http/request-body/body-watch.ts'

/** @throws StowageError `rate_limited`, with the seconds for `Retry-After` */
type Limit = (request: FastifyRequest) => Promise<void>

/** The limits on the rate of requests. Each replica counts on its own. */
export interface RateLimits {
  /** Limits one address. An IPv6 address counts by its /64, the block assigned to one household or machine. */
  perAddress: Limit
  /** Limits one user across all credentials. A token with the scope `admin` belongs to a backend and is not counted. */
  perUser: Limit
}

/** The number of addresses, and of users, that are counted. One more evicts the least recently seen. */
const cachedKeys = 20_000
const perMinute = { timeWindow: 60_000, cache: cachedKeys }

export async function openRateLimits(app: App, config: Config): Promise<RateLimits> {
  const { requestsPerMinute, requestsPerMinutePerAddress } = config
  await app.register(rateLimit, { global: false, ...perMinute })
  const userLimit = limit(app, requestsPerMinute, 'Your requests', ({ principal }) => String(principal.userId))
  const addressLimit = limit(app, requestsPerMinutePerAddress, 'The requests from your address')
  return {
    perAddress: async (request) => {
      // The socket of a disconnected client has no address.
      if (request.raw.socket.remoteAddress === undefined) throw connectionClosed()
      await addressLimit(request)
    },
    perUser: async (request) => {
      if (!request.principal.scopes.includes('admin')) await userLimit(request)
    },
  }
}

/**
 * @param max requests in a minute; 0 for no limit
 * @param subject the beginning of the error message
 */
function limit(app: App, max: number, subject: string, keyGenerator?: (request: FastifyRequest) => string): Limit {
  if (max === 0) return async () => {}
  const count = app.createRateLimit({ ...perMinute, max, ...(keyGenerator && { keyGenerator }) })
  return async (request) => {
    const counted = await count(request)
    if (counted.isAllowed || !counted.isExceeded) return
    throw new StowageError(
      'rate_limited',
      `${subject} are more than ${max} in a minute. Wait as long as Retry-After says.`,
      {
        retryAfter: Math.max(1, counted.ttlInSeconds),
      },
    )
  }
}
