import type { ErrorCode } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { toHttpError } from '#http/errors.ts'

/** The errors by which a limit turns a client away. */
const ofLimits: ReadonlySet<ErrorCode> = new Set(['busy', 'rate_limited', 'timeout', 'too_large'])

/** Counts, for the metrics, the clients that limits turned away since the start, by reason. */
export class Refusals {
  readonly counts = new Map<string, number>()

  count(reason: string): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1)
  }

  /** Counts what the routes of `app` answer. */
  watch(app: App): void {
    app.addHook('onError', async (_request, _reply, error) => {
      const { code } = toHttpError(error)
      if (ofLimits.has(code)) this.count(code)
    })
  }
}
