import type { OwnStore } from '../cluster/own-store.ts'
import type { Campaign } from './campaign.ts'
import { type Outage, suffer } from './outage.ts'
import { liveness, readiness, reading, uploading } from './questions.ts'
import type { Stage } from './stage.ts'

/** A slow store answers, and in this many milliseconds more. */
const latency = { latency: 400, jitter: 200 }

async function outagesOf(stage: Stage): Promise<Outage[]> {
  const { line, ownStore } = stage.cluster
  const store = ownStore as OwnStore
  const upload = uploading(stage)
  const { download, metadata } = await reading(stage)
  const without = [metadata, liveness]
  const whenAway = { refused: [upload, download, readiness], given: without }
  const whenFull = { refused: [upload], given: [download, readiness, ...without] }
  const always = { refused: [], given: [upload, download, readiness, ...without] }
  const slow = () => line.spoil([{ type: 'latency', stream: 'downstream', attributes: latency }])
  const { disk } = store
  if (disk === undefined) stage.log('SKIPPED, since no disk can be mounted here: the store has no space left')
  return [
    { name: 'the store is frozen', begin: async () => store.freeze(), end: async () => store.thaw(), ...whenAway },
    { name: 'the store refuses connections', begin: () => line.refuse(), end: () => line.heal(), ...whenAway },
    { name: 'the store is slow', begin: slow, end: () => line.heal(), ...always },
    ...(disk ? [{ name: 'the store has no space left', begin: disk.fill, end: disk.free, ...whenFull }] : []),
  ]
}

async function run(stage: Stage, kills: number): Promise<void> {
  const outages = await outagesOf(stage)
  for (let round = 0; stage.kills < kills || round < outages.length; round++) {
    await stage.randomMoment(1000)
    await suffer(stage, outages[round % outages.length] as Outage)
    await stage.killAny()
    await stage.check()
  }
}

/** The store is away, slow or full, and all that does not need it goes on. */
export const badStoreLine: Campaign = {
  name: 'bad-store-line',
  share: 2,
  balancer: 'nginx',
  checksums: 'crc32',
  isVersioned: true,
  hasOwnStore: true,
  run,
}
