import type { AppContext } from '#app-context.ts'
import type { ClientTimeouts } from '#domain/limits.ts'
import type { RateLimits } from '#http/admission/rate-limits.ts'

/** The dependencies that routes share: those of the services, and those of HTTP alone. */
export interface HttpContext extends AppContext {
  /** The base URL of the server for clients, without a trailing slash. */
  publicUrl(): string
  /** The key of `file_url` signatures. */
  urlSigningKey: string
  /** How long clients may keep the server waiting, in milliseconds. */
  timeouts: ClientTimeouts
  /** The limits on how often clients send requests. */
  rates: RateLimits
}
