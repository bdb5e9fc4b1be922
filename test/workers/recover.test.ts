import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { listTransitions } from '../../src/db/attachments.ts'
import { type Attempt, insertUploading, move } from '../../src/db/transitions.ts'
import { StowageError } from '../../src/errors.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { recover } from '../../src/workers/recover.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../support/server.ts'

const uploading = 'UploadFromClientToServerInProgress'
const uploadFailed = 'UploadFromClientToServerFailed'
const verifying = 'ChecksumVerificationOnServerSideInProgress'
const mismatch = 'ChecksumVerificationOnServerSideMismatch'
const undecided = 'ChecksumVerificationOnServerSideFailed'
const ready = 'ReadyForDownloadFromServerToClient'
const why = { reason: 'a test', actor: 'user:1' }

const never = new AbortController().signal

/** A server whose recovery runs when a test wants it to. */
async function startIdle(t: Parameters<typeof startTestServer>[0], options: Partial<TestServerOptions> = {}) {
  return startTestServer(t, { store: 'disk', withWorkers: false, ...options })
}

type Begun = Attempt & { objectKey: string }

async function begin(
  { db }: TestServer,
  requestId: string = randomUUID(),
  checksumAlgorithm = 'sha256',
): Promise<Begun> {
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm }
  const objectKey = `aa/${randomUUID().replaceAll('-', '')}`
  const place = { messageId: 1, uploaderId: 1, objectKey, leaseSeconds: 60, requestId }
  const attachment = await insertUploading(db, { ...place, ...file, ...why })
  return { id: attachment?.id as number, attempt: attachment?.attempt as number, objectKey }
}

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
  await move(server.db, [measured], { from: uploading, to: verifying, leaseSeconds: 60, ...why })
  await expire(server, begun)
  return begun
}

/** As if its writer had been silent for longer than the lease. */
async function expire({ db }: TestServer, { id }: Attempt): Promise<void> {
  await db.execute(sql`update attachments set lease_expires_at = now() - interval '1 second' where id = ${id}`)
}

async function rowOf({ db }: TestServer, { id }: Attempt) {
  const [row] = await db.execute(sql`
    select state, failure_reason, lease_expires_at from attachments where id = ${id}`)
  return row
}

async function keysToPurge({ db }: TestServer): Promise<unknown[]> {
  const due = await db.execute(sql`select key from objects where purge_at is not null order by attachment_id`)
  return due.map(({ key }) => key)
}

t.test('an attempt whose writer is silent fails; a living one is left alone', async (t) => {
  const server = await startIdle(t)
  const [living, dead] = [await begin(server), await begin(server)]
  await expire(server, dead)
  let woken = 0
  const purgeSoon = () => {
    woken += 1
  }
  t.equal(await recover({ ...server, log: server.app.log, purgeSoon }, never), false)
  t.match(await rowOf(server, living), { state: uploading })
  t.match(await rowOf(server, dead), { state: uploadFailed, failure_reason: /again/, lease_expires_at: null })
  t.match((await listTransitions(server.db, dead.id)).at(-1), { from: uploading, actor: 'recovery' })
  t.equal(woken, 1, 'the purge is told')
  t.same(await keysToPurge(server), [dead.objectKey])
})

t.test('a writer that comes back after its lease was taken cannot finish', async (t) => {
  const server = await startIdle(t)
  const late = await begin(server)
  await expire(server, late)
  await server.recover()
  const bytes = { id: late.id, attempt: late.attempt, fileSize: 1, fileChecksum: 'ab' }
  await t.rejects(move(server.db, [bytes], { from: uploading, to: verifying, leaseSeconds: 60, ...why }), {
    name: 'StateConflict',
  })
})

for (const store of ['disk', 's3'] as const)
  t.test(`a verification that nobody finished is done again, on ${store}`, async (t) => {
    const server = await startIdle(t, { store })
    const whole = await leftInVerification(server)
    const wholeMd5 = await leftInVerification(server, { algorithm: 'md5' })
    const other = await leftInVerification(server, { stored: 'bytez' })
    const longer = await leftInVerification(server, { stored: 'bytes and more' })
    const missing = await leftInVerification(server, { stored: undefined })
    const notAsDeclared = await leftInVerification(server)
    await server.db.execute(sql`update attachments set declared_checksum = 'ab' where id = ${notAsDeclared.id}`)
    await server.recover()
    for (const attachment of [whole, wholeMd5]) t.match(await rowOf(server, attachment), { state: ready })
    t.match((await listTransitions(server.db, whole.id)).at(-1), { from: verifying, to: ready, actor: 'recovery' })
    const broken = [other, longer, missing, notAsDeclared]
    for (const attachment of broken)
      t.match(await rowOf(server, attachment), { state: mismatch, failure_reason: /again/, lease_expires_at: null })
    t.same(
      await keysToPurge(server),
      broken.map(({ objectKey }) => objectKey),
    )
  })

t.test('the files of one request are decided together', async (t) => {
  const server = await startIdle(t)
  const [wholeRequest, brokenRequest, failedRequest] = [randomUUID(), randomUUID(), randomUUID()]
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
  await move(server.db, [{ id, attempt }], { from: verifying, to: undecided, ...why })
  await server.recover()
  for (const attachment of whole) t.match(await rowOf(server, attachment), { state: ready })
  t.match(await rowOf(server, broken[0] as Begun), { state: undecided, failure_reason: /Another file/ })
  t.match(await rowOf(server, broken[1] as Begun), { state: mismatch })
  t.match(await rowOf(server, half), { state: undecided }, 'its sibling had failed')
  const [one, two] = await Promise.all(whole.map(async ({ id }) => (await listTransitions(server.db, id)).at(-1)?.at))
  t.same(one, two, 'in one statement')
})

t.test('a store that does not answer is asked again, for a lease', async (t) => {
  let silent = true
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    async get(...args) {
      if (silent) throw new StowageError('storage_unavailable', 'down')
      return store.get(...args)
    },
  })
  const server = await startIdle(t, { wrapStore })
  const [kept, lost] = [await leftInVerification(server), await leftInVerification(server)]
  await server.db.execute(sql`update attachments set modified_at = now() - interval '61 seconds' where id = ${lost.id}`)
  const deps = { ...server, log: server.app.log, purgeSoon() {} }
  await recover(deps, never)
  t.match(await rowOf(server, kept), { state: verifying })
  t.match(await rowOf(server, lost), { state: undecided, failure_reason: /did not say/ })
  t.same(await keysToPurge(server), [lost.objectKey])
  silent = false
  await recover(deps, never)
  t.match(await rowOf(server, kept), { state: ready }, 'its lease was given back at once')
})

t.test('a server that stops leaves what it is verifying to the others, at once', async (t) => {
  const server = await startIdle(t)
  const left = await leftInVerification(server)
  const deps = { ...server, log: server.app.log, purgeSoon() {} }
  await server.db.execute(sql`update attachments set modified_at = now() - interval '61 seconds'`)
  await recover(deps, AbortSignal.abort())
  t.match(await rowOf(server, left), { state: verifying })
  await recover(deps, never)
  t.match(await rowOf(server, left), { state: ready })
})

t.test('several replicas recover the same attempts, each once, and none fails', async (t) => {
  const server = await startIdle(t)
  const arriving = await Promise.all(Array.from({ length: 60 }, () => begin(server)))
  for (const attempt of arriving) await expire(server, attempt)
  const stored = await Promise.all(Array.from({ length: 20 }, () => leftInVerification(server)))
  const deps = { ...server, log: server.app.log, purgeSoon() {} }
  const replica = async () => {
    while (await recover(deps, never));
  }
  await Promise.all(Array.from({ length: 10 }, replica))
  await replica()
  for (const attempt of arriving) t.equal((await listTransitions(server.db, attempt.id)).length, 3)
  for (const attempt of stored) t.equal((await listTransitions(server.db, attempt.id)).length, 4)
  t.same(await server.states(), { [uploadFailed]: 60, [ready]: 20 })
})
