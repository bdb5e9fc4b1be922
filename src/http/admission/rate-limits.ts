import rateLimit from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import type { Config } from '#config/config.ts'
import { StowageError } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { connectionClosed } from '#http/request-body/body-watch.ts'

/** @throws StowageError `rate_limited`, which says when to come again */
type Limit = (request: FastifyRequest) => Promise<void>

/** How often requests may come, counted on this replica alone. */
export interface RateLimits {
  /** From one address; of IPv6, from one /64, which is what one household or one machine has to itself. */
  perAddress: Limit
  /** From one user, by any of their credentials. Tokens of scope `admin` are a backend's, and not counted. */
  perUser: Limit
}

/** Addresses, and users, that are remembered; the one that has been silent longest is forgotten for one more. */
const remembered = 20_000
const everyMinute = { timeWindow: 60_000, cache: remembered }

export async function openRateLimits(app: App, config: Config): Promise<RateLimits> {
  const { requestsPerMinute, requestsPerMinutePerAddress } = config
  await app.register(rateLimit, { global: false, ...everyMinute })
  const ofUser = limit(app, requestsPerMinute, 'Your requests', ({ principal }) => String(principal.userId))
  const ofAddress = limit(app, requestsPerMinutePerAddress, 'The requests from your address')
  return {
    perAddress: async (request) => {
      // A client that has gone has no address any more.
      if (request.raw.socket.remoteAddress === undefined) throw connectionClosed()
      await ofAddress(request)
    },
    perUser: async (request) => {
      if (!request.principal.scopes.includes('admin')) await ofUser(request)
    },
  }
}

/** @param most in a minute; 0: any number */
function limit(app: App, most: number, whose: string, keyGenerator?: (request: FastifyRequest) => string): Limit {
  if (most === 0) return async () => {}
  const count = app.createRateLimit({ ...everyMinute, max: most, ...(keyGenerator && { keyGenerator }) })
  return async (request) => {
    const counted = await count(request)
    if (counted.isAllowed || !counted.isExceeded) return
    throw new StowageError(
      'rate_limited',
      `${whose} are more than ${most} in a minute. Wait as long as Retry-After says.`,
      {
        retryAfter: Math.max(1, counted.ttlInSeconds),
      },
    )
  }
}
