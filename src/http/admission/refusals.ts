import type { ErrorCode } from '#domain/errors.ts'
import type { App } from '#http/app.ts'
import { toHttpError } from '#http/errors.ts'

/** The error codes with which a limit refuses a client. */
const limitCodes: ReadonlySet<ErrorCode> = new Set(['busy', 'rate_limited', 'timeout', 'too_large'])

/** Counts, for the metrics, the refusals by a limit since the start, by reason. */
export class Refusals {
  readonly counts = new Map<string, number>()

  count(reason: string): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1)
  }

  /** Counts the errors of the routes of `app`. */
  watch(app: App): void {
    app.addHook('onError', async (_request, _reply, error) => {
      const { code } = toHttpError(error)
      if (limitCodes.has(code)) this.count(code)
    })
  }
}
