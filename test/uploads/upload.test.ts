import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { StowageError } from '#domain/errors.ts'
import { listTransitions } from '#persistence/queries.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'

const path = '/api/v1/messages/1/attachments'
const ready = 'ReadyForDownloadFromServerToClient'

async function post(server: TestServer, files: File[], fields: Record<string, string> = {}): Promise<Response> {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  for (const file of files) form.append('files', file)
  return fetch(`${server.url}${path}`, { method: 'POST', headers: await server.cookie(1), body: form })
}

async function nothingRemains(t: Test, server: TestServer): Promise<void> {
  await until('the purge has come round', async () => (await server.unpurged()) === 0)
  t.same(await server.remains(), { objects: [], uploads: [] })
  t.equal((await server.states())[ready], undefined)
}

async function attachmentCount({ db }: TestServer): Promise<number> {
  return (await db.execute(sql`select from attachments`)).length
}

t.test('an upload that takes longer than its lease is kept alive by renewals', { skip: skipWithoutS3 }, async (t) => {
  const server = await startTestServer(t, { store: 's3', env: { UPLOAD_LEASE_SECONDS: '3' } })
  const form = beginForm(server.url, path, 'files', await server.cookie(1))
  await form.send(Buffer.alloc(1000))
  await until('the row is there', async () => (await attachmentCount(server)) === 1)
  // The time is the subject here: one and a half leases pass.
  await delay(4500)
  await form.send(Buffer.alloc(1000))
  t.equal((await form.finish()).status, 200)
  t.same(await server.states(), { [ready]: 1 })
})

t.test(
  'a writer whose attempt was given up by another replica stops and leaves nothing',
  { skip: skipWithoutS3 },
  async (t) => {
    const server = await startTestServer(t, { store: 's3', env: { UPLOAD_LEASE_SECONDS: '3' } })
    const form = beginForm(server.url, path, 'files', await server.cookie(1))
    await form.send(Buffer.alloc(20 * 2 ** 20))
    await until('an unfinished multipart upload', async () => (await server.remains()).uploads.length === 1)
    await server.db.execute(sql`update attachments set lease_expires_at = now() - interval '1 second'`)
    await server.recover()
    const answer = await form.finish()
    t.equal(answer.status, 409)
    t.same(await server.states(), { UploadFromClientToServerFailed: 1 })
    await nothingRemains(t, server)
  },
)

t.test('an attachment deleted while its bytes arrive never comes back', { skip: skipWithoutS3 }, async (t) => {
  const server = await startTestServer(t, { store: 's3', env: { UPLOAD_LEASE_SECONDS: '3' } })
  const headers = await server.cookie(1)
  const form = beginForm(server.url, path, 'files', headers)
  await form.send(Buffer.alloc(20 * 2 ** 20))
  await until('an unfinished multipart upload', async () => (await server.remains()).uploads.length === 1)
  const removed = await fetch(`${server.url}/api/v1/attachments/1`, { method: 'DELETE', headers })
  t.equal(removed.status, 200)
  t.equal((await form.finish()).status, 409)
  t.equal((await fetch(`${server.url}/api/v1/attachments/1`, { headers })).status, 404)
  // What was still in flight when the bytes were removed first is found one lease later.
  await until('everything is gone', async () => {
    const { objects, uploads } = await server.remains()
    return objects.length + uploads.length === 0
  })
  t.same(await server.states(), {})
})

const lies: Record<string, (store: ObjectStore) => Partial<ObjectStore>> = {
  'lost a byte': (store) => ({
    head: async (key) => ({ ...(await store.head(key)), size: 4 }),
  }),
  'keeps other bytes': (store) => ({
    head: async (key) => ({ size: 5, ...(await store.head(key)), checksum: 'AAAAAA==' }),
  }),
  'lost the object': () => ({ head: async () => undefined }),
}

for (const [what, lie] of Object.entries(lies)) {
  t.test(`a store that ${what} never makes a file Ready`, { skip: skipWithoutS3 }, async (t) => {
    const wrapStore = (store: ObjectStore): ObjectStore => ({
      ...store,
      // One that names the checksum when it answers is believed.
      put: async (...put) => ({ ...(await store.put(...put)), isConfirmed: false }),
      ...lie(store),
    })
    const server = await startTestServer(t, { store: 's3', wrapStore })
    const response = await post(server, [new File(['first'], 'a'), new File(['other'], 'b')])
    t.equal(response.status, 503)
    t.same(await server.states(), { ChecksumVerificationOnServerSideMismatch: 2 })
    await nothingRemains(t, server)
  })
}

t.test('a store that does not answer when asked what it holds is asked again later', async (t) => {
  let silent = true
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    async head(...args) {
      if (silent) throw new StowageError('storage_unavailable', 'down')
      return store.head(...args)
    },
  })
  const server = await startTestServer(t, { store: 'disk', wrapStore, withWorkers: false })
  const files = [new File(['first'], 'a'), new File(['other'], 'b')]
  const response = await post(server, files)
  t.equal(response.status, 503)
  t.match(await response.json(), { errorText: /not verified yet.*read the attachment/ })
  t.same(await server.states(), { ChecksumVerificationOnServerSideInProgress: 2 }, 'it is not given up')
  silent = false
  await server.recover()
  t.same(await server.states(), { [ready]: 2 })
  for (const [index, file] of files.entries()) {
    const address = `${server.url}/api/v1/attachments/${index + 1}/${file.name}`
    t.equal(await (await fetch(address, { headers: await server.cookie(1) })).text(), await file.text())
  }
})

t.test('the store is told what is known of the length', async (t) => {
  const told: { size?: number | undefined; atMost?: number | undefined }[] = []
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    put(key, body, options) {
      told.push({ size: options.size, atMost: options.atMost })
      return store.put(key, body, options)
    },
  })
  const server = await startTestServer(t, { store: 'disk', wrapStore })
  const file = new File([Buffer.alloc(100_000)], 'a')
  t.equal((await post(server, [file])).status, 200)
  t.equal((await post(server, [file], { fileSize: '100000' })).status, 200)
  const form = beginForm(server.url, path, 'files', await server.cookie(1))
  await form.send(Buffer.alloc(10))
  t.equal((await form.finish()).status, 200)
  const [undeclared, declared, chunked] = told
  t.equal(undeclared?.size, undefined)
  const surplus = (undeclared?.atMost ?? Number.NaN) - file.size
  t.ok(surplus > 0 && surplus < 1000, `the length of the form: ${surplus} bytes more`)
  t.equal(declared?.size, file.size)
  t.strictSame(chunked, { size: undefined, atMost: undefined })
})

t.test('one file of several fails: none is Ready, all have failed', { skip: skipWithoutS3 }, async (t) => {
  const server = await startTestServer(t, { store: 's3', env: { MAX_FILE_SIZE: '10' } })
  const response = await post(server, [
    new File(['fits'], 'a'),
    new File(['also fits'], 'b'),
    new File(['too large by far'], 'c'),
  ])
  t.equal(response.status, 413)
  t.same(await server.states(), { UploadFromClientToServerFailed: 3 })
  await nothingRemains(t, server)
})

t.test(
  'a wrong digest among right ones: its file is the mismatch, the others fail with it',
  { skip: skipWithoutS3 },
  async (t) => {
    const server = await startTestServer(t, { store: 's3' })
    const response = await post(server, [new File(['one'], 'a'), new File(['two'], 'b')], {
      fileChecksum: '0'.repeat(64),
    })
    t.equal(response.status, 422)
    t.same(await server.states(), { ChecksumVerificationOnServerSideMismatch: 1, UploadFromClientToServerFailed: 1 })
    const history = await listTransitions(server.db, 1)
    t.same(
      history.map(({ to }) => to),
      [
        'Initial',
        'UploadFromClientToServerInProgress',
        'ChecksumVerificationOnServerSideInProgress',
        'ChecksumVerificationOnServerSideMismatch',
      ],
    )
    await nothingRemains(t, server)
  },
)

t.test('a store adapter that crashes midway: 500 without its words, and nothing is left', async (t) => {
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    async put(key, body, options) {
      async function* torn() {
        yield* take(body, 3)
        throw new Error('the disk is gone')
      }
      return store.put(key, torn(), options)
    },
  })
  const server = await startTestServer(t, { store: 'disk', wrapStore })
  const response = await post(server, [new File([Buffer.alloc(2 ** 20)], 'a')])
  t.equal(response.status, 500)
  t.notMatch(await response.text(), /disk/)
  t.same(await server.states(), { UploadFromClientToServerFailed: 1 })
  await nothingRemains(t, server)
})

async function* take<T>(source: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let taken = 0
  for await (const item of source) {
    yield item
    taken += 1
    if (taken === count) return
  }
}
