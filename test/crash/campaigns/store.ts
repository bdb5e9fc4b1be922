import type { Test } from 'tap'
import { answerLost, answers503, cuts, type Failure } from '../../e2e/faults.ts'
import type { SeededRandom } from '../../kit/seeded-random.ts'
import { until } from '../../kit/until.ts'
import { type Exchange, type FaultProxy, type Operation, openFaultProxy } from '../../store/fault-proxy.ts'
import type { Toxic } from '../cluster/line.ts'
import type { ActName } from '../workload/workload.ts'
import type { Campaign } from './campaign.ts'
import type { Stage } from './stage.ts'

const mebibyte = 2 ** 20

/** A way for the store to be bad: a bad line to it, or answers that are not its own. */
interface Fault {
  name: string
  toxics?: Toxic[]
  answer?: { strikes(exchange: Exchange, random: SeededRandom): boolean; failure: Failure }
  acts?: ActName[]
}

const upstream = 'upstream' as const
const downstream = 'downstream' as const

const faults: Fault[] = [
  {
    name: 'slow',
    toxics: [
      { type: 'latency', stream: downstream, attributes: { latency: 200, jitter: 150 } },
      { type: 'bandwidth', stream: upstream, attributes: { rate: 1500 } },
    ],
  },
  {
    name: 'silent',
    toxics: [
      { type: 'timeout', stream: upstream, attributes: { timeout: 0 } },
      { type: 'timeout', stream: downstream, attributes: { timeout: 0 } },
    ],
  },
  {
    name: 'cut after half a part',
    toxics: [{ type: 'limit_data', stream: upstream, attributes: { bytes: 2.5 * mebibyte }, toxicity: 0.7 }],
    acts: ['uploadLargeForm'],
  },
  {
    name: 'connections reset',
    toxics: [{ type: 'reset_peer', stream: downstream, attributes: { timeout: 30 }, toxicity: 0.5 }],
  },
  { name: '503 to some', answer: { strikes: (_, random) => random.between(1, 3) === 1, failure: answers503 } },
  { name: '503 to all', answer: { strikes: () => true, failure: answers503 } },
  answersLost('CompleteMultipartUpload', ['uploadLargeForm'], () => true),
  answersLost('CreateMultipartUpload', ['uploadLargeForm'], (random) => random.between(1, 2) === 1),
  answersLost('PutObject', ['uploadForm', 'uploadReserved'], (random) => random.between(1, 2) === 1),
]

/** The store does as it was told, and the connection breaks before it has said so. */
function answersLost(lost: Operation, acts: ActName[], strikes: (random: SeededRandom) => boolean): Fault {
  return {
    name: `answers to ${lost} lost`,
    answer: { strikes: ({ operation }, random) => operation === lost && strikes(random), failure: answerLost(cuts) },
    acts,
  }
}

async function run(stage: Stage, kills: number): Promise<void> {
  await using ending = new AsyncDisposableStack()
  const teardown = (end: () => unknown) => ending.defer(async () => void (await end()))
  const proxy = await openFaultProxy(
    { teardown } as Pick<Test, 'teardown'> as Test,
    stage.cluster.servers.store.endpoint,
  )
  for (let round = 0; stage.kills < kills || round < faults.length; round++) {
    const fault = faults[round % faults.length] as Fault
    const failedBefore = stage.workload.journal.failed
    const struck = await begin(stage, proxy, fault)
    for (let count = 0; count < 3; count++) await stage.killAny()
    await until(`clients meet a store with ${fault.name}`, () => struck() >= 3, 30)
    await end(stage, proxy, fault)
    stage.log(`${fault.name}: ${stage.workload.journal.failed - failedBefore} requests failed`)
    await stage.killAny()
    await stage.check()
  }
}

/** @returns tells how many requests to the store it has struck, as far as that can be seen */
async function begin(stage: Stage, proxy: FaultProxy, { toxics, answer, acts }: Fault): Promise<() => number> {
  const { line, url } = stage.cluster
  if (acts) stage.workload.emphasise({ acts, url })
  if (toxics) await line.spoil(toxics)
  let struck = 0
  if (answer === undefined) return () => Infinity
  proxy.fault = (exchange) => {
    if (!answer.strikes(exchange, stage.random)) return exchange.pass()
    struck += 1
    return answer.failure(exchange)
  }
  await line.leadTo(proxy.endpoint)
  return () => struck
}

async function end(stage: Stage, proxy: FaultProxy, { answer }: Fault): Promise<void> {
  const { line, servers } = stage.cluster
  stage.workload.emphasise(undefined)
  await line.heal()
  if (answer) await line.leadTo(servers.store.endpoint)
  proxy.fault = (exchange) => exchange.pass()
  // It remembers every request, for tests that are shorter.
  proxy.seen.length = 0
}

/** The store is slow, silent, refuses, breaks off, or does as it was told and does not say so. It keeps whatever was written twice. */
export const badStore: Campaign = {
  name: 'bad-store',
  share: 18,
  balancer: 'nginx',
  checksums: 'crc32',
  isVersioned: true,
  run,
}
