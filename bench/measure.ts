import { setTimeout as delay } from 'node:timers/promises'
import { contentSha256 } from './client/content.ts'
import type { Load, Outcome } from './client/load.ts'
import type { Amount, Contender, Running } from './contenders/contender.ts'
import type { Scenario } from './scenarios/scenario.ts'
import type { Stage } from './stage.ts'

/** One measurement of one contender. */
export interface Figures {
  /** Wall time of the load. */
  seconds: number
  requests: number
  /** Of all files. */
  bytes: number
  /** Of each request, in milliseconds. */
  latencies: number[]
  /** What the server's process used for the load. */
  cpuSeconds: number
  /** Most resident memory of the server's process. */
  peakBytes: number
}

/** How long a server rests between warm-up and load, in milliseconds: what it does after its answers is not the load's. */
const rest = 200

/** Starts a contender, sends it the scenario's load and tells what its process used for that. */
export async function measure(stage: Stage, scenario: Scenario, contender: Contender): Promise<Figures> {
  await using running = await contender.open(stage)
  const { server } = running
  const { client } = stage
  if (scenario.warmUp) await client.run(await loadOf(running, scenario, scenario.warmUp, true))
  const load = await loadOf(running, scenario, scenario.amount, false)
  await delay(rest, undefined, { signal: stage.signal })
  const before = await server.usage()
  const outcome = await client.run(load)
  const after = await server.usage()
  await running.check(scenario.amount, outcome)
  return figuresOf(scenario.amount, outcome, after.cpuSeconds - before.cpuSeconds, after.peakBytes)
}

/** @param isVerified whether downloads are hashed, which is not for the measured ones */
async function loadOf(running: Running, scenario: Scenario, amount: Amount, isVerified: boolean): Promise<Load> {
  const { concurrency, bytesPerSecond } = scenario
  const { download, ...requests } = await running.prepare(amount)
  const sha256 = isVerified && download ? contentSha256(download.bytes) : undefined
  const sending = bytesPerSecond === undefined ? 0 : amount.fileBytes / bytesPerSecond
  return {
    ...requests,
    ...(download && { download: { ...download, sha256 } }),
    url: running.server.url,
    concurrency,
    bytesPerSecond,
    timeoutSeconds: sending + 120,
  }
}

function figuresOf({ requests, fileBytes }: Amount, outcome: Outcome, cpuSeconds: number, peakBytes: number): Figures {
  const { seconds, latencies } = outcome
  return { seconds, latencies, requests, bytes: requests * fileBytes, cpuSeconds, peakBytes }
}
