import { setTimeout as delay } from 'node:timers/promises'
import { type Failpoint, failpoints } from '#failpoints.ts'
import { leaseSeconds } from '../cluster/cluster.ts'
import type { Replica } from '../cluster/replica.ts'
import type { ActName } from '../workload/workload.ts'
import type { Campaign } from './campaign.ts'
import type { Stage } from './stage.ts'

/** Seconds after which a failpoint counts as one that the clients do not reach. */
const limit = 30

const failpointsPerCheck = 4

/** What clients do so that a server passes there; where nothing is named, what they do anyway. */
const waysTo: Partial<Record<Failpoint, ActName[]>> = {
  'before-reserve': ['uploadReserved'],
  'after-reserve': ['uploadReserved'],
  'before-create': ['uploadLargeForm'],
  'after-create': ['uploadLargeForm'],
  'after-upload-id': ['uploadLargeForm'],
  'before-part': ['uploadLargeForm'],
  'after-part': ['uploadLargeForm'],
  'before-complete': ['uploadLargeForm'],
  'after-complete': ['uploadLargeForm'],
  'before-fail': ['hangUp', 'sendWrongDigest'],
  'after-fail': ['hangUp', 'sendWrongDigest'],
  'after-hide': ['removeMessage', 'removeRoom', 'removeUser'],
  'before-tombstone': ['removeFile', 'removeMessage'],
  'after-tombstone': ['removeFile', 'removeMessage'],
  'before-abort': ['hangUpLarge'],
  'after-abort': ['hangUpLarge'],
  'before-object-delete': ['removeFile', 'hangUp'],
  'after-object-delete': ['removeFile', 'hangUp'],
  'after-purge': ['removeFile', 'hangUp'],
}

/** In the midst of requests of several files or parts, and of work of several keys. */
const laterPasses: `${Failpoint}:${number}`[] = [
  'after-intent:2',
  'after-put:3',
  'before-part:2',
  'after-part:2',
  'after-publish:3',
  'after-fail:2',
  'after-object-delete:3',
  'after-purge:4',
]

/** Reached only where the store names no checksums in its answers. */
const withoutChecksums = new Set<Failpoint>(['before-verify', 'after-verify'])

async function run(stage: Stage, kills: number): Promise<void> {
  const all = [...failpoints, ...laterPasses]
  for (let count = 0; count < all.length || stage.kills < kills; count++) {
    await dieAt(stage, all[count % all.length] as string)
    if ((count + 1) % failpointsPerCheck === 0) await stage.check()
  }
}

/** Kills a replica at a random moment, starts it with the failpoint armed, and lets clients use it until it has died. */
async function dieAt(stage: Stage, text: string): Promise<void> {
  const [name] = text.split(':') as [Failpoint]
  const replica = await stage.anyReplica()
  await stage.started(replica)
  await stage.kill(replica)
  const checksums = withoutChecksums.has(name) || stage.random.between(1, 3) === 1 ? 'off' : 'crc32'
  stage.restart(replica, { STOWAGE_FAILPOINT: text, S3_CHECKSUMS: checksums })
  await stage.started(replica)
  const startedAt = performance.now()
  stage.workload.emphasise({ acts: waysTo[name] ?? ['uploadForm', 'uploadReserved'], url: replica.url })
  const late = delay(limit * 1000, 'late' as const, { ref: false })
  if (name === 'after-claim') await killUploadingUntil(stage, replica, Promise.race([replica.ended, late]))
  const end = await Promise.race([replica.ended, late])
  stage.workload.emphasise(undefined)
  if (end === 'late') throw new Error(`No client made ${replica.name} reach ${text} within ${limit} s`)
  if (end !== 'SIGKILL') throw new Error(`${replica.name} was to die at ${text}, and ended by ${end}`)
  stage.kills += 1
  stage.log(`${text}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  stage.restart(replica)
}

/** Somebody has to have died for a recovery to have something to claim, and any replica may be the one to claim it. */
async function killUploadingUntil(stage: Stage, except: Replica, end: Promise<unknown>): Promise<void> {
  const isOver = end.then(() => true)
  do await killUploading(stage, except)
  while (!(await Promise.race([isOver, delay(leaseSeconds * 1000, false)])))
}

async function killUploading(stage: Stage, except: Replica): Promise<void> {
  const other = await stage.anyReplica(except)
  await stage.started(other)
  stage.workload.emphasise({ acts: ['uploadLargeForm'], url: other.url })
  await stage.randomMoment(500)
  await stage.kill(other)
  stage.restart(other)
}

/** At every place that the server knows by name. */
export const atFailpoints: Campaign = {
  name: 'failpoints',
  share: 36,
  balancer: 'nginx',
  checksums: 'crc32',
  isVersioned: false,
  run,
}
