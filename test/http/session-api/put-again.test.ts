import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { deleteMessage, deleteRoom, deleteUser } from '#deletion/delete.ts'
import type { AttachmentState } from '#domain/states.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, Session, textFile } from '../../kit/cookie-api.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { beginPut, type SlowUpload } from '../../kit/slow-upload.ts'
import { cookieApi } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import {
  digestField,
  hasHistory,
  hexOf,
  mismatch,
  objectsOf,
  ready,
  rowOf,
  toMismatch,
  toReady,
  uploadFailed,
  uploading,
} from './reservations.ts'

const toFailed: AttachmentState[] = [uploading, uploadFailed]

/** Waits until the store holds this many objects, and nothing unfinished; what lands late takes the purge a lease. */
async function storesOnly(server: TestServer, count: number): Promise<void> {
  await until('the purge has come round', async () => (await server.unpurged()) === 0)
  await until(`${count} objects are left`, async () => {
    const { objects, uploads } = await server.remains()
    return objects.length === count && uploads.length === 0
  })
}

/** A PUT whose next attempt has begun; of `bytes` the server has all but what sockets hold. */
async function begun(server: TestServer, session: Session, id: number, length: number, bytes: Buffer | string) {
  const before = (await rowOf(server, id))?.attempt ?? 0
  const put: SlowUpload = beginPut(server.url, `/api/v1/attachments/${id}/a.txt`, length, session.headers)
  await put.send(bytes)
  await until('the attempt has begun', async () => ((await rowOf(server, id))?.attempt ?? 0) > before)
  return put
}

for (const store of ['s3', 'disk'] as const) {
  const skip = store === 's3' && skipWithoutS3

  t.test(`again after the client hung up, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1', UPLOAD_LEASE_SECONDS: '3' } })
    const session = await Session.of(server, 2)
    const content = randomBytes(18 * 2 ** 20)
    const id = await session.reserve({ fileSize: content.length, fileChecksum: hexOf('sha256', content) })
    const put = await begun(server, session, id, content.length, content.subarray(0, 17 * 2 ** 20))
    put.socket.destroy()
    await until('it has failed', async () => (await rowOf(server, id))?.state === uploadFailed)
    t.match(await rowOf(server, id), { failureReason: /connection closed before the last byte/, isLeased: false })
    t.match(await session.metadata(id), { fileSize: content.length, fileChecksum: hexOf('sha256', content) })
    t.strictSame(await objectsOf(server, id), [[1, true]], 'its bytes are to go')

    t.equal((await session.put(id, 'a.txt', content)).status, 200)
    t.ok(Buffer.from(await (await session.download(id, 'a.txt')).bytes()).equals(content))
    t.match(await rowOf(server, id), { state: ready, attempt: 2, failureReason: null, isLeased: false })
    t.strictSame(await objectsOf(server, id), [
      [1, true],
      [2, false],
    ])
    await hasHistory(t, server, id, [['Initial'], toFailed, toReady])
    await storesOnly(server, 1)
    t.equal((await session.ask('DELETE', `/attachments/${id}`)).status, 200)
    t.strictSame(
      (await objectsOf(server, id)).filter(([, isToGo]) => !isToGo),
      [],
      'every attempt is deleted',
    )
    await storesOnly(server, 0)
  })

  t.test(`again after other bytes came than declared, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store })
    const session = await Session.of(server, 2)
    const id = await session.reserve({ fileSize: 7, fileChecksum: hexOf('sha256', 'content') })
    for (const attempt of [1, 2]) {
      await isError(t, await session.put(id, 'a.txt', 'another'), 422, /sha256 .* not .* as declared/)
      t.match(await rowOf(server, id), {
        state: mismatch,
        attempt,
        fileSize: 7,
        fileChecksum: hexOf('sha256', 'another'),
      })
      await storesOnly(server, 0)
    }
    t.equal((await session.put(id, 'a.txt', 'content')).status, 200, 'compared with what was declared, not what came')
    await hasHistory(t, server, id, [['Initial'], toMismatch, toMismatch, toReady])
    await storesOnly(server, 1)

    const other = await session.reserve({ fileSize: 7 })
    const digest = { 'repr-digest': digestField('content') }
    await isError(t, await session.put(other, 'a.txt', 'another', digest), 422, /sha256 .* not .* as declared/)
    t.match(await session.metadata(other), { attachmentState: mismatch, failureReason: /not .* as declared/ })
    await session.patch(other, { fileChecksum: hexOf('sha256', 'another') })
    await isError(t, await session.put(other, 'a.txt', 'content', digest), 400, /was reserved/)
    t.equal((await session.put(other, 'a.txt', 'another')).status, 200, 'the declared one was corrected')
    await storesOnly(server, 2)
  })

  t.test(`again after the store lost the bytes, on ${store}`, { skip }, async (t) => {
    let isLying = true
    const wrapStore = (inner: ObjectStore): ObjectStore => ({
      ...inner,
      // One that names the checksum when it answers is believed.
      put: async (...put) => ({ ...(await inner.put(...put)), isConfirmed: false }),
      head: async (key) => (isLying ? undefined : inner.head(key)),
    })
    const server = await startTestServer(t, { store, wrapStore })
    const session = await Session.of(server, 2)
    const id = await session.reserve({ fileSize: 7 })
    await isError(t, await session.put(id, 'a.txt', 'content'), 503, /not stored as it was sent/)
    t.match(await rowOf(server, id), { state: 'ChecksumVerificationOnServerSideMismatch', fileSize: 7 })
    isLying = false
    const again = await begun(server, session, id, 7, 'cont')
    t.match(await rowOf(server, id), { state: uploading, fileSize: null, fileChecksum: null, failureReason: null })
    await again.send('ent')
    t.equal((await again.answer).status, 200)
    await storesOnly(server, 1)
  })

  t.test(`of two at once one wins, and is not disturbed, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store })
    const session = await Session.of(server, 2)
    for (let round = 0; round < 5; round += 1) {
      const id = await session.reserve({ fileSize: 7 })
      const answers = await Promise.all(
        ['content', 'another', 'thethird'.slice(1)].map(async (body) => {
          const { status } = await session.put(id, 'a.txt', body)
          return { status, body }
        }),
      )
      t.strictSame(answers.map(({ status }) => status).sort(), [200, 409, 409])
      const winner = answers.find(({ status }) => status === 200)?.body
      t.equal(await (await session.download(id, 'a.txt')).text(), winner, 'the bytes are those of the winner')
      t.strictSame(await objectsOf(server, id), [[1, false]])
    }
    const id = await session.reserve({ fileSize: 7 })
    const first = await begun(server, session, id, 7, 'cont')
    await isError(t, await session.put(id, 'a.txt', 'another'), 409, new RegExp(`its state is ${uploading}`))
    await isError(t, await session.patch(id, { fileChecksum: hexOf('sha256', 'another') }), 409, /on their way/)
    await first.send('ent')
    t.equal((await first.answer).status, 200)
    await hasHistory(t, server, id, [['Initial'], toReady])
    await storesOnly(server, 6)
  })

  t.test(`deleted while its bytes arrive, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store, env: { UPLOAD_LEASE_SECONDS: '3', MAX_CONCURRENT_UPLOADS: '1' } })
    const session = await Session.of(server, 2)
    const id = await session.reserve({ fileSize: 18 * 2 ** 20 })
    const put = await begun(server, session, id, 18 * 2 ** 20, Buffer.alloc(17 * 2 ** 20))
    t.equal((await session.ask('DELETE', `/attachments/${id}`)).status, 200)
    await put.send(Buffer.alloc(2 ** 20))
    cookieApi.isError(t, await put.answer, 409, /deleted|no longer/)
    t.strictSame(await server.states(), {})
    t.notMatch(await rowOf(server, id), { state: ready })
    await storesOnly(server, 0)
    const next = await session.reserve({ fileSize: 7 })
    t.equal((await session.put(next, 'a.txt', 'content')).status, 200, 'the slot is free again')
  })
}

for (const [what, remove] of Object.entries({
  message: (server: TestServer) => deleteMessage(server, 1),
  room: (server: TestServer) => deleteRoom(server, 1),
  uploader: (server: TestServer) => deleteUser(server, 2),
})) {
  t.test(`its ${what} is deleted while its bytes arrive`, async (t) => {
    const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_LEASE_SECONDS: '3' } })
    const session = await Session.of(server, 2)
    const id = await session.reserve({ fileSize: 7 })
    const put = await begun(server, session, id, 7, 'cont')
    await remove(server)
    t.strictSame(await server.states(), {})
    await put.send('ent')
    cookieApi.isError(t, await put.answer, 409, /deleted|no longer/)
    t.notMatch(await rowOf(server, id), { state: ready })
    await storesOnly(server, 0)
  })
}

t.test('a writer that was given up cannot hinder the next attempt', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_LEASE_SECONDS: '3' } })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const late = await begun(server, session, id, 7, 'late')
  await server.db.execute(sql`update attachments set lease_expires_at = now() - interval '1 second'`)
  await server.recover()
  t.match(await rowOf(server, id), { state: uploadFailed, attempt: 1 })
  t.equal((await session.put(id, 'a.txt', 'content')).status, 200)
  await late.send('one')
  cookieApi.isError(t, await late.answer, 409, /no longer|given up/)
  t.match(await rowOf(server, id), { state: ready, attempt: 2 })
  t.equal(await (await session.download(id, 'a.txt')).text(), 'content')
  await storesOnly(server, 1)
})

t.test('a file of a form that failed can be sent again at its own address', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const declared = hexOf('sha256', 'content')
  t.equal((await session.post([textFile('a.txt', 'another')], [['fileChecksum', declared]])).status, 422)
  const [failed] = await session.list()
  const id = failed?.attachmentId ?? 0
  await isError(t, await session.put(id, 'a.txt', 'another'), 422, /not .* as declared/)
  t.equal((await session.put(id, 'a.txt', 'content')).status, 200)
  t.match(await session.metadata(id), { attachmentState: ready, fileChecksum: declared, fileSize: 7 })
})
