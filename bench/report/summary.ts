import type { Figures } from '../measure.ts'
import type { Result } from '../rounds.ts'

/** The medians of a contender's rounds. */
export interface Summary {
  /** 1,000,000 bytes of files a second. */
  megabytesPerSecond: number
  requestsPerSecond: number
  /** Milliseconds of a request. */
  p50: number
  p99: number
  /** Seconds of CPU time for each GiB, or milliseconds for each request, as the scenario counts. */
  cpu: number
  /** 1,000,000 bytes. */
  peakMegabytes: number
}

/** `undefined` when nothing was measured. */
export function summarize({ scenario, rounds, failure }: Result): Summary | undefined {
  if (failure !== undefined || rounds.length === 0) return undefined
  const median = (of: (figures: Figures) => number) => quantile(rounds.map(of), 0.5)
  return {
    megabytesPerSecond: median(({ bytes, seconds }) => bytes / 1e6 / seconds),
    requestsPerSecond: median(({ requests, seconds }) => requests / seconds),
    p50: median(({ latencies }) => quantile(latencies, 0.5)),
    p99: median(({ latencies }) => quantile(latencies, 0.99)),
    cpu: median(({ cpuSeconds, bytes, requests }) =>
      scenario.cpuPer === 'GiB' ? (cpuSeconds / bytes) * 2 ** 30 : (cpuSeconds * 1000) / requests,
    ),
    peakMegabytes: median(({ peakBytes }) => peakBytes / 1e6),
  }
}

/** The smallest value that `share` of all values do not exceed. */
function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
}
