import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, leaseSeconds } from '../cluster/cluster.ts'
import type { Violation } from '../workload/journal.ts'
import type { Evidence, Key, Row } from './evidence.ts'
import { busyStates, ready } from './state-table.ts'

/** Seconds that the promises get longer here, where five servers and their clients share two cores. */
const slack = 4

/** Of a worker, at most. */
const round = (leaseSeconds / 4) * 1.1

/** Seconds after the last client has left. */
const limits = {
  /** A dead writer's attempt has failed: one lease, and the round in which that is seen. */
  failed: leaseSeconds + round + slack,
  /** The bytes of failed attempts are gone. */
  failedBytes: 2 * leaseSeconds + slack,
  /** The bytes of what was deleted are gone. */
  deletedBytes: 60,
}

/** Milliseconds between two looks. */
const pause = 100

/**
 * Waits until the replicas have put everything in order that a crash left, and no longer than they promise.
 * @returns the seconds that took, and what was not in order by then
 */
export async function awaitRecovery(
  { bucket }: Pick<Cluster, 'bucket'>,
  evidence: Evidence,
): Promise<{ seconds: number; violations: Violation[] }> {
  const startedAt = performance.now()
  for (;;) {
    const pending = await evidence.pending().catch(() => undefined)
    const seconds = (performance.now() - startedAt) / 1000
    const isAtRest = pending && pending.busy + pending.forsaken + pending.unpurged === 0
    if (isAtRest && (await strangers(bucket, evidence)).length === 0) return { seconds, violations: [] }
    if (seconds > limits.failed && pending !== undefined) {
      const violations = await overdue({ bucket }, evidence, seconds)
      if (violations.length > 0) return { seconds, violations }
    }
    if (seconds > limits.deletedBytes + slack)
      throw new Error(`No recovery in ${seconds} s: ${JSON.stringify(pending ?? 'the database does not answer')}`)
    await delay(pause)
  }
}

async function overdue({ bucket }: Pick<Cluster, 'bucket'>, evidence: Evidence, seconds: number): Promise<Violation[]> {
  const late = `${seconds.toFixed(1)} s after the last client left`
  const rows = await evidence.rows()
  const stuck = rows.filter(({ isDeleted, state }) => !isDeleted && busyStates.includes(state))
  const violations: Violation[] = stuck.map((row) => ({
    kind: 'wrong',
    text: `Still ${row.state} ${late}: ${JSON.stringify(row)}`,
  }))
  for (const { what, key, row, isKnown } of await strangers(bucket, evidence)) {
    const limit = row?.isDeleted || row?.isHidden ? limits.deletedBytes : limits.failedBytes
    if (isKnown && seconds <= limit) continue
    const text = `${what} is left ${late}: ${JSON.stringify({ key, row })}`
    violations.push({ kind: 'orphaned', text })
  }
  return violations
}

interface Stranger {
  /** In the bucket. */
  what: string
  key: Key | undefined
  row: Row | undefined
  /** Whether the database knows the key. */
  isKnown: boolean
}

/** What lies in the bucket and is not the object of a Ready attachment. */
async function strangers(bucket: Cluster['bucket'], evidence: Evidence): Promise<Stranger[]> {
  const [keys, rows] = await Promise.all([evidence.keys(), evidence.rows()])
  const keyOf = new Map(keys.map((key) => [key.key, key]))
  const rowOf = new Map(rows.map((row) => [row.id, row]))
  const { objects, uploads } = await bucket.list()
  const seen = new Set<string>()
  const found: Stranger[] = []
  for (const { key: name, what } of [...objects, ...uploads]) {
    const key = keyOf.get(name)
    const row = key && rowOf.get(key.attachmentId)
    const isFirst = !seen.has(name)
    const belongs = isFirst && what.startsWith('version') && key && row && isObjectOf(row, key)
    seen.add(name)
    if (!belongs) found.push({ what: `${name} (${what})`, key, row, isKnown: key !== undefined })
  }
  return found
}

/** Whether the bytes under the key are those of the attachment. */
export function isObjectOf(row: Row, key: Key): boolean {
  return row.state === ready && !row.isDeleted && !row.isHidden && row.attempt === key.attempt && !key.isToGo
}
