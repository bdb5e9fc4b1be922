import type { ErrorCode } from '../../errors.ts'
import type { App } from '../app.ts'
import { toProblem } from '../problems.ts'

/** What a limit turned away, for the metrics. The other errors are what the client asked for. */
const ofLimits: ReadonlySet<ErrorCode> = new Set(['busy', 'rate_limited', 'timeout', 'too_large'])

/** How many clients were turned away for each reason since the start. */
export class Refusals {
  readonly counts = new Map<string, number>()

  count(reason: string): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1)
  }

  /** Counts what the routes of `app` answer. */
  watch(app: App): void {
    app.addHook('onError', async (_request, _reply, error) => {
      const { code } = toProblem(error)
      if (ofLimits.has(code)) this.count(code)
    })
  }
}
