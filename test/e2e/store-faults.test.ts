import { createHash, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { openS3Store } from '#store/s3/s3-store.ts'
import { newestId, storeIsEmpty, takesUploads, uploadFailed } from '../http/bad-input/remains.ts'
import { hasHistory, rowOf, toReady, uploading } from '../http/session-api/reservations.ts'
import { createTestBucket, skipWithoutS3 } from '../kit/bucket.ts'
import type { RawAnswer } from '../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { bearerApi, cookieApi, type Surface } from '../kit/surfaces.ts'
import { until } from '../kit/until.ts'
import {
  bearerForm,
  declaredBearerForm,
  declaredForm,
  form,
  type Place,
  putBytes,
  rawPut,
  reserve,
  type Upload,
  type WayToUpload,
} from '../kit/ways-to-upload.ts'
import { type FaultProxy, openFaultProxy } from '../store/fault-proxy.ts'
import {
  answerLost,
  answers503,
  cuts,
  failAlways,
  failFrom,
  failOnce,
  mend,
  midBody,
  neverAnswers,
  resets,
} from './faults.ts'

/** So small that parts are no larger than they must be. */
const maxFileSize = 63 * 2 ** 20
/** Three parts, or one stream. */
const bytes = randomBytes(11 * 2 ** 20 + 5)
const few = bytes.subarray(0, 100_000)
const file = { fileName: 'faulty.bin', size: bytes.length }
/** One slot, so that one which is not given back is missed at once. */
const env = { MAX_CONCURRENT_UPLOADS: '1', UPLOAD_LEASE_SECONDS: '3', MAX_FILE_SIZE: String(maxFileSize) }
const unavailable = /object store does not answer/

// Each has a server and a store of its own, and mostly waits.
t.jobs = 4

interface BehindFaults {
  server: TestServer
  place: Place
  proxy: FaultProxy
}

async function startBehindFaults(t: Test): Promise<BehindFaults> {
  const proxy = await openFaultProxy(t, process.env.S3_ENDPOINT ?? '')
  const server = await startTestServer(t, { store: 's3', env: { ...env, S3_ENDPOINT: proxy.endpoint } })
  return { server, proxy, place: { url: server.url, ...(await server.cookie(1)), ...(await server.bearer(1)) } }
}

async function sendAll(upload: Upload, content = bytes): Promise<RawAnswer> {
  const piece = 256 * 1024
  for (let at = 0; at < content.length && upload.socket.writable; at += piece)
    await upload.send(content.subarray(at, at + piece))
  return upload.finish()
}

async function uploadBy(way: WayToUpload, place: Place, content = bytes): Promise<RawAnswer> {
  return sendAll(await way.begin(place, { ...file, size: content.length }), content)
}

/** Asserts that the newest attachment is whole and all that the store holds, and deletes it. */
async function isWhole(t: Test, { server, place: { url, cookie } }: BehindFaults, content = bytes): Promise<void> {
  const id = await newestId(server)
  const response = await fetch(`${url}/api/v1/attachments/${id}/${file.fileName}`, { headers: { cookie } })
  t.equal(response.status, 200)
  const digest = createHash('sha256')
  for await (const chunk of response.body ?? []) digest.update(chunk)
  t.equal(digest.digest('hex'), createHash('sha256').update(content).digest('hex'), 'the file is whole')
  const { objects, uploads } = await server.remains()
  t.equal(objects.length, 1, 'one object')
  t.strictSame(uploads, [], 'no unfinished upload')
  const deleted = await fetch(`${url}/api/v1/attachments/${id}`, { method: 'DELETE', headers: { cookie } })
  t.equal(deleted.status, 200)
  await storeIsEmpty(t, server)
}

/** Asserts that the newest attachment has failed, and, once the store is well again, that nothing of it is left. */
async function hasFailed(t: Test, { server, proxy }: BehindFaults): Promise<void> {
  const row = await rowOf(server, await newestId(server))
  t.match(row, { state: uploadFailed, failureReason: unavailable, isLeased: false }, 'failed before it was answered')
  mend(proxy)
  await storeIsEmpty(t, server)
}

const surfaceOf = (way: WayToUpload): Surface => (way.success === bearerApi.created ? bearerApi : cookieApi)

t.test('a store that fails once, and is tried again', { skip: skipWithoutS3, buffered: true }, async (t) => {
  const faulty = await startBehindFaults(t)
  const { place, proxy } = faulty
  const parts = [
    ['does not open the upload', 'CreateMultipartUpload', answers503],
    ['answers a part with 503', 'UploadPart', answers503],
    ['cuts the connection in mid-part', 'UploadPart', midBody(cuts)],
    ['resets the connection before it answers a part', 'UploadPart', answerLost(resets)],
    ['loses the answer to the completion', 'CompleteMultipartUpload', answerLost(cuts)],
    ['answers the completion with 503', 'CompleteMultipartUpload', answers503],
  ] as const
  for (const way of [form, bearerForm]) {
    for (const [what, operation, failure] of parts) {
      await t.test(`${way.name}: it ${what}`, async (t) => {
        const failures = failOnce(proxy, operation, failure)
        t.equal((await uploadBy(way, place)).status, way.success, 'the client does not notice')
        t.equal(failures(), 1, 'it did fail')
        await isWhole(t, faulty)
      })
    }
  }

  for (const [what, failure] of [
    ['503', answers503],
    ['a cut connection', midBody(cuts)],
    ['a lost answer', answerLost(resets)],
  ] as const) {
    await t.test(`a form with a small file: ${what}`, async (t) => {
      const small = bytes.subarray(0, 2 ** 20 + 1)
      const failures = failOnce(proxy, 'PutObject', failure)
      t.equal((await uploadBy(form, place, small)).status, 200)
      t.equal(failures(), 1, 'it did fail')
      await isWhole(t, faulty, small)
    })
  }

  const streams = [
    ['answers 503 before it asks for a byte', answers503],
    ['cuts the connection before it asks for a byte', cuts],
    ['loses its answer', answerLost(cuts)],
  ] as const
  for (const way of [declaredForm, declaredBearerForm, rawPut]) {
    for (const [what, failure] of streams) {
      await t.test(`${way.name}: it ${what}`, async (t) => {
        const failures = failOnce(proxy, 'PutObject', failure)
        t.equal((await uploadBy(way, place)).status, way.success, 'the client does not notice')
        t.equal(failures(), 1, 'it did fail')
        await isWhole(t, faulty)
      })
    }
  }
})

t.test('a store that fails and goes on failing', { skip: skipWithoutS3, buffered: true }, async (t) => {
  const faulty = await startBehindFaults(t)
  const { server, place, proxy } = faulty
  const cases = [
    ['does not open an upload', () => failAlways(proxy, 'CreateMultipartUpload', answers503)],
    ['answers parts with 503', () => failAlways(proxy, 'UploadPart', answers503)],
    ['cuts the connections of parts', () => failAlways(proxy, 'UploadPart', midBody(cuts))],
    ['breaks off in mid-part and is gone', () => failFrom(proxy, 'UploadPart', midBody(cuts), cuts)],
    ['answers the completion with 503', () => failAlways(proxy, 'CompleteMultipartUpload', answers503)],
    ['completes the upload and is gone', () => failFrom(proxy, 'CompleteMultipartUpload', answerLost(cuts), cuts)],
  ] as const
  for (const way of [form, bearerForm]) {
    for (const [what, fail] of cases) {
      await t.test(`${way.name}: it ${what}`, async (t) => {
        const failures = fail()
        surfaceOf(way).isError(t, await uploadBy(way, place), 503, unavailable)
        t.ok(failures() > 1, 'it was tried again')
        await hasFailed(t, faulty)
      })
    }
  }
  for (const [what, failure] of [
    ['503', answers503],
    ['cut connections', cuts],
  ] as const) {
    await t.test(`a form with a small file: ${what}`, async (t) => {
      const failures = failAlways(proxy, 'PutObject', failure)
      cookieApi.isError(t, await uploadBy(form, place, few), 503, unavailable)
      t.ok(failures() > 1, 'it was tried again')
      await hasFailed(t, faulty)
    })
  }
  await takesUploads(t, server, cookieApi)
})

t.test('a store that fails a stream', { skip: skipWithoutS3, buffered: true }, async (t) => {
  const faulty = await startBehindFaults(t)
  const { server, place, proxy } = faulty
  const before = [
    ['answers 503 before it asks for a byte', () => failAlways(proxy, 'PutObject', answers503)],
    ['is gone before it asks for a byte', () => failFrom(proxy, 'PutObject', cuts, cuts)],
    ['has stored it and is gone', () => failFrom(proxy, 'PutObject', answerLost(cuts), cuts)],
  ] as const
  const within = [
    ['answers 503 in mid-body', () => failAlways(proxy, 'PutObject', midBody(answers503))],
    ['cuts the connection in mid-body', () => failAlways(proxy, 'PutObject', midBody(cuts))],
  ] as const
  for (const [what, fail] of [...before, ...within]) {
    const isAskedAgain = !within.some(([name]) => name === what)
    const hasAskedRightly = (t: Test, failures: number) =>
      isAskedAgain
        ? t.ok(failures > 1, 'asked again')
        : t.equal(failures, 1, 'bytes that were not kept are not asked for')

    for (const way of [declaredForm, declaredBearerForm]) {
      await t.test(`${way.name}: it ${what}`, async (t) => {
        const failures = fail()
        surfaceOf(way).isError(t, await uploadBy(way, place), 503, unavailable)
        hasAskedRightly(t, failures())
        await hasFailed(t, faulty)
        t.equal((await uploadBy(way, place)).status, way.success, 'the same again goes through')
        await isWhole(t, faulty)
      })
    }

    await t.test(`${rawPut.name}: it ${what}, and a second PUT to the same address works`, async (t) => {
      const id = await reserve(place, file)
      const failures = fail()
      cookieApi.isError(t, await sendAll(putBytes(place, id, file)), 503, unavailable)
      hasAskedRightly(t, failures())
      await hasFailed(t, faulty)
      t.equal((await sendAll(putBytes(place, id, file))).status, 200)
      t.match(await rowOf(server, id), { attempt: 2, fileSize: file.size, failureReason: null })
      await hasHistory(t, server, id, [['Initial'], [uploading, uploadFailed], toReady])
      await isWhole(t, faulty)
    })
  }
})

t.test('a store that never answers', { skip: skipWithoutS3, buffered: true }, async (t) => {
  // No setting shortens the time-outs, so the server gets a store that has shorter ones.
  const { bucket, region, accessKeyId, secretAccessKey, remains } = await createTestBucket(t)
  const proxy = await openFaultProxy(t, process.env.S3_ENDPOINT ?? '')
  const store = openS3Store({
    ...{ bucket, region, accessKeyId, secretAccessKey, endpoint: proxy.endpoint },
    ...{ forcePathStyle: true, checksums: 'crc32', maxObjectSize: maxFileSize },
    timeouts: { connect: 3000, silence: 1500, completion: 1500 },
  })
  t.teardown(() => store.close())
  const server = { ...(await startTestServer(t, { store: 's3', env, wrapStore: () => store })), remains }
  const place = { url: server.url, ...(await server.cookie(1)), ...(await server.bearer(1)) }
  const silences = [
    [form, 'CreateMultipartUpload'],
    [form, 'UploadPart'],
    [bearerForm, 'CompleteMultipartUpload'],
    [declaredForm, 'PutObject'],
    [declaredBearerForm, 'PutObject'],
    [rawPut, 'PutObject'],
  ] as const
  for (const [way, operation] of silences) {
    await t.test(`${way.name}: ${operation}`, async (t) => {
      failAlways(proxy, operation, neverAnswers)
      surfaceOf(way).isError(t, await uploadBy(way, place), 503, unavailable)
      await hasFailed(t, { server, place, proxy })
    })
  }
  await takesUploads(t, server, cookieApi)
  await until('no connection of a put is left', () => proxy.openFor('PutObject') === 0)
})
