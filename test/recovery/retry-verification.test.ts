import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { StowageError } from '#domain/errors.ts'
import { listTransitions } from '#persistence/queries.ts'
import { transition } from '#persistence/transitions.ts'
import { FailedReads } from '#recovery/failed-reads.ts'
import { retryVerification } from '#recovery/retry-verification.ts'
import type { ObjectStore } from '#store/object-store.ts'
import {
  type Begun,
  begin,
  expire,
  keysToPurge,
  rowOf,
  startIdle,
  uploading,
  verifying,
  why,
} from '../kit/abandoned-attempt.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import type { TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

const mismatch = 'ChecksumVerificationOnServerSideMismatch'
const undecided = 'ChecksumVerificationOnServerSideFailed'
const ready = 'ReadyForDownloadFromServerToClient'

const never = new AbortController().signal

interface Stored {
  requestId?: string
  /** What the server computed on the way; the store's own bytes unless named. */
  sent?: string
  stored?: string | undefined
  algorithm?: string
}

/** An attachment whose server died while it was in verification. */
async function leftInVerification(server: TestServer, options: Stored = {}): Promise<Begun> {
  const { requestId, sent = 'bytes', algorithm = 'sha256' } = options
  const stored = 'stored' in options ? options.stored : sent
  const begun = await begin(server, requestId, algorithm)
  if (stored !== undefined)
    await server.store.put(begun.objectKey, Readable.from([Buffer.from(stored)]), { signal: never })
  const { id, attempt } = begun
  const measured = {
    id,
    attempt,
    fileSize: sent.length,
    fileChecksum: createHash(algorithm).update(sent).digest('hex'),
  }
  await transition(server.db, [measured], { from: uploading, to: verifying, leaseSeconds: 60, ...why })
  await expire(server, begun)
  return begun
}

function depsOf(server: TestServer, leaseSeconds = 60) {
  return { ...server, log: server.app.log, wakePurge() {}, failedReads: new FailedReads(leaseSeconds) }
}

async function verifyAll(server: TestServer, context = depsOf(server)): Promise<void> {
  while (await retryVerification(context, never));
}

for (const store of ['disk', 's3'] as const)
  t.test(
    `a verification that nobody finished is done again, on ${store}`,
    { skip: store === 's3' && skipWithoutS3 },
    async (t) => {
      const server = await startIdle(t, { store })
      const whole = await leftInVerification(server)
      const wholeMd5 = await leftInVerification(server, { algorithm: 'md5' })
      const other = await leftInVerification(server, { stored: 'bytez' })
      const longer = await leftInVerification(server, { stored: 'bytes and more' })
      const missing = await leftInVerification(server, { stored: undefined })
      const notAsDeclared = await leftInVerification(server)
      await server.db.execute(sql`update attachments set declared_checksum = 'ab' where id = ${notAsDeclared.id}`)
      await verifyAll(server)
      for (const attachment of [whole, wholeMd5]) t.match(await rowOf(server, attachment), { state: ready })
      t.match((await listTransitions(server.db, whole.id)).at(-1), {
        from: verifying,
        to: ready,
        actor: 'verification',
      })
      const broken = [other, longer, missing, notAsDeclared]
      for (const attachment of broken)
        t.match(await rowOf(server, attachment), { state: mismatch, failure_reason: /again/, lease_expires_at: null })
      t.same(
        await keysToPurge(server),
        broken.map(({ objectKey }) => objectKey),
      )
    },
  )

t.test('the files of one request are decided together', async (t) => {
  const server = await startIdle(t)
  const [wholeRequest, brokenRequest, failedRequest, cutRequest] = [
    randomUUID(),
    randomUUID(),
    randomUUID(),
    randomUUID(),
  ]
  const whole = [
    await leftInVerification(server, { requestId: wholeRequest }),
    await leftInVerification(server, { requestId: wholeRequest, sent: 'other' }),
  ]
  const broken = [
    await leftInVerification(server, { requestId: brokenRequest }),
    await leftInVerification(server, { requestId: brokenRequest, stored: 'bytez' }),
  ]
  const half = await leftInVerification(server, { requestId: failedRequest })
  const failedBefore = await leftInVerification(server, { requestId: failedRequest })
  const { id, attempt } = failedBefore
  await transition(server.db, [{ id, attempt }], { from: verifying, to: undecided, ...why })
  const cut = await leftInVerification(server, { requestId: cutRequest })
  const deleted = await leftInVerification(server, { requestId: cutRequest })
  await server.db.execute(sql`update attachments set deleted_at = now() where id = ${deleted.id}`)
  await verifyAll(server)
  for (const attachment of whole) t.match(await rowOf(server, attachment), { state: ready })
  t.match(await rowOf(server, broken[0] as Begun), { state: undecided, failure_reason: /Another file/ })
  t.match(await rowOf(server, broken[1] as Begun), { state: mismatch })
  t.match(await rowOf(server, half), { state: undecided, failure_reason: /not stored as it was sent/ })
  t.match(await rowOf(server, cut), { state: undecided, failure_reason: /was deleted before it was verified/ })
  const [one, two] = await Promise.all(whole.map(async ({ id }) => (await listTransitions(server.db, id)).at(-1)?.at))
  t.same(one, two, 'in one statement')
})

/** A store that cannot be read while the test says so. */
async function startUnreadable(t: Test, isSilent: (key: string) => boolean) {
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    async get(key, options) {
      if (isSilent(key)) throw new StowageError('storage_unavailable', 'down')
      return store.get(key, options)
    },
  })
  return startIdle(t, { wrapStore })
}

const undecidedYet = { name: 'VerificationUndecided' }

t.test('a store that does not answer is asked again, however old the file is', async (t) => {
  let silent = true
  const server = await startUnreadable(t, () => silent)
  const left = await leftInVerification(server)
  await server.db.execute(sql`update attachments set modified_at = now() - interval '1 day'`)
  const context = depsOf(server)
  for (let tries = 0; tries < 5; tries += 1) {
    await expire(server, left)
    await t.rejects(retryVerification(context, never), undecidedYet)
    t.match(await rowOf(server, left), { state: verifying })
  }
  silent = false
  await until('its lease, given back at once, has run out', async () => {
    await verifyAll(server, context)
    return (await rowOf(server, left))?.state === ready
  })
})

t.test('a store that goes on not answering costs the file, after a lease and several tries', async (t) => {
  const server = await startUnreadable(t, () => true)
  const lost = await leftInVerification(server)
  const context = depsOf(server, 0)
  for (const state of [verifying, verifying, undecided]) {
    await expire(server, lost)
    await t.rejects(retryVerification(context, never), undecidedYet)
    t.match(await rowOf(server, lost), { state })
  }
  t.match(await rowOf(server, lost), { failure_reason: /did not say/, lease_expires_at: null })
  t.same(await keysToPurge(server), [lost.objectKey])
})

t.test('files that cannot be read do not keep the others waiting', async (t) => {
  const unreadable = new Set<string>()
  const server = await startUnreadable(t, (key) => unreadable.has(key))
  for (let count = 0; count < 9; count += 1) unreadable.add((await leftInVerification(server)).objectKey)
  const whole = [await leftInVerification(server), await leftInVerification(server)]
  const context = depsOf(server)
  t.equal(await retryVerification(context, never), true, 'there is more')
  await verifyAll(server, context).catch(() => {})
  for (const file of whole) t.match(await rowOf(server, file), { state: ready })
  t.same(await server.states(), { [ready]: 2, [verifying]: 9 })
})

t.test('a server that stops leaves what it is verifying to the others, at once', async (t) => {
  const server = await startIdle(t)
  const left = await leftInVerification(server)
  const context = depsOf(server, 0)
  for (let stops = 0; stops < 4; stops += 1) await retryVerification(context, AbortSignal.abort())
  t.match(await rowOf(server, left), { state: verifying })
  await verifyAll(server)
  t.match(await rowOf(server, left), { state: ready })
})

t.test('several replicas verify the same files, each once, and none fails', async (t) => {
  const server = await startIdle(t)
  const stored = await Promise.all(Array.from({ length: 40 }, () => leftInVerification(server)))
  await Promise.all(Array.from({ length: 10 }, () => verifyAll(server)))
  for (const attempt of stored) t.equal((await listTransitions(server.db, attempt.id)).length, 4)
  t.same(await server.states(), { [ready]: 40 })
})

t.test('what is only left by a living writer is not touched', async (t) => {
  const server = await startIdle(t)
  const arriving = await begin(server)
  await expire(server, arriving)
  const living = await leftInVerification(server)
  await server.db.execute(
    sql`update attachments set lease_expires_at = now() + interval '1 minute' where id = ${living.id}`,
  )
  await verifyAll(server)
  t.match(await rowOf(server, arriving), { state: uploading }, 'that is for the recovery')
  t.match(await rowOf(server, living), { state: verifying })
})
