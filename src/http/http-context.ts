import type { AppContext } from '#app-context.ts'
import type { ClientTimeouts } from '#domain/limits.ts'
import type { RateLimits } from '#http/admission/rate-limits.ts'
/** The parts that routes share: those of the services below, and those of HTTP alone. */
export interface HttpContext extends AppContext {
  /** Where clients reach the server, without a slash at the end. */
  publicUrl(): string
  /** The key of `file_url` signatures. */
  urlSigningKey: string
  /** How long clients may keep the server waiting. */
  timeouts: ClientTimeouts
  /** How often clients may come. */
  rates: RateLimits
}
