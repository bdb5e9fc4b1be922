import t from 'tap'
import { openBucket, partSizeFor } from '../../src/store/s3-bucket.ts'
import { upload } from '../../src/store/s3-upload.ts'
import { until } from '../support/until.ts'
import { bytesOf, chunksOf, failingAfter, hangingAfter } from './bodies.ts'
import { objectStoreContract } from './contract.ts'
import { openBehindProxy, partSize, s3Test } from './s3-fixture.ts'

const never = new AbortController().signal

s3Test('The S3 store keeps the contract of an object store', async (t) =>
  objectStoreContract(t, await openBehindProxy(t)),
)

s3Test('A body that fits a part is one request', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const onUpload = async () => {
    t.fail('a multipart upload was begun')
  }
  await store.put('one/1', chunksOf(bytesOf(partSize), 65_536), { signal: never, onUpload })
  t.same(
    proxy.seen.map(({ operation }) => operation),
    ['PutObject'],
  )
})

s3Test('The caller knows the upload before its first part is sent', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  const told: string[] = []
  await store.put('told/1', chunksOf(bytesOf(3 * partSize), 65_536), {
    signal: never,
    async onUpload(uploadId) {
      told.push(uploadId)
      t.same(await remains('told/1'), [`upload ${uploadId}`])
      t.notOk(proxy.seen.some(({ operation }) => operation === 'UploadPart'))
    },
  })
  t.equal(told.length, 1)
})

s3Test('The caller knows the upload even when it aborts while the upload is begun', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  const controller = new AbortController()
  proxy.fault = (exchange) => {
    if (exchange.operation === 'CreateMultipartUpload') controller.abort()
    exchange.pass()
  }
  const told: string[] = []
  const onUpload = async (uploadId: string) => void told.push(uploadId)
  const put = store.put('told/3', chunksOf(bytesOf(3 * partSize), 65_536), { signal: controller.signal, onUpload })
  await t.rejects(put, { name: 'AbortError' })
  t.same(await remains('told/3'), [`upload ${told[0]}`])
})

s3Test('A caller that cannot record the upload fails it', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const failure = new Error('The database is away')
  const put = store.put('told/2', hangingAfter(bytesOf(2 * partSize)), {
    signal: never,
    onUpload: () => Promise.reject(failure),
  })
  t.equal(await put.catch((error) => error), failure)
  t.notOk(proxy.seen.some(({ operation }) => operation === 'UploadPart'))
})

s3Test('Bytes are sent unsigned, checksummed, over connections that are kept', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  await store.put('sent/1', chunksOf(bytesOf(6 * partSize), 65_536), { signal: never })
  await store.put('sent/2', chunksOf(bytesOf(10), 10), { signal: never })
  const sent = proxy.seen.filter(({ operation }) => operation === 'UploadPart' || operation === 'PutObject')
  t.equal(sent.length, 7)
  for (const { headers } of sent) {
    t.match(headers, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-checksum-crc32': /=$/ })
    t.notOk(headers.expect)
  }
  t.ok(proxy.connections <= 3, `${proxy.connections} connections`)
})

s3Test('Without checksums none are sent and none reported', async (t) => {
  const { store, proxy } = await openBehindProxy(t, { checksums: 'off' })
  for (const size of [10, 2 * partSize]) {
    t.same(await store.put(`off/${size}`, chunksOf(bytesOf(size), 65_536), { signal: never }), { size })
    t.same(await store.head(`off/${size}`), { size })
  }
  const names = proxy.seen.flatMap(({ headers }) => Object.keys(headers))
  t.notOk(names.some((name) => name.includes('checksum')))
})

s3Test('A body is read no faster than the store takes it', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const held: (() => unknown)[] = []
  proxy.fault = (exchange) => {
    if (exchange.operation === 'UploadPart') held.push(exchange.pass)
    else exchange.pass()
  }
  let produced = 0
  async function* body() {
    for await (const chunk of chunksOf(bytesOf(8 * partSize), 65_536)) {
      produced += chunk.length
      yield chunk
    }
  }
  const put = store.put('slow/1', body(), { signal: never })
  await until('two parts are on their way and the third is full', () => held.length === 2 && produced > 3 * partSize)
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
  t.equal(held.length, 2)
  t.equal(produced, 3 * partSize + 65_536, 'three parts, and the chunk that waits for room')
  proxy.fault = (exchange) => exchange.pass()
  for (const pass of held) pass()
  t.equal((await put).size, 8 * partSize)
})

s3Test('Every part buffer comes back', async (t) => {
  const { options, proxy } = await openBehindProxy(t)
  const bucket = openBucket(options)
  t.teardown(() => bucket.client.destroy())
  const { buffers } = bucket
  const bytes = bytesOf(4 * partSize)

  await upload(bucket, 'back/1', chunksOf(bytes, 65_536), { signal: never })
  t.equal(buffers.lent, 0, 'after success')
  await upload(bucket, 'back/2', chunksOf(bytes, 4 * partSize), { signal: never })
  t.ok(buffers.free <= 3, `${buffers.free} buffers were enough for uploads one after another`)

  await t.rejects(upload(bucket, 'back/3', failingAfter(bytes, new Error('The client hung up')), { signal: never }))
  t.equal(buffers.lent, 0, 'after the body failed')

  const controller = new AbortController()
  const body = hangingAfter(bytes, () => controller.abort())
  await t.rejects(upload(bucket, 'back/4', body, { signal: controller.signal }))
  t.equal(buffers.lent, 0, 'after an abort')

  await t.rejects(
    upload(bucket, 'back/5', chunksOf(bytes, 65_536), { signal: never, onUpload: () => Promise.reject() }),
  )
  t.equal(buffers.lent, 0, 'after the caller failed')

  proxy.fault = (exchange) => exchange.answer(403)
  await t.rejects(upload(bucket, 'back/6', chunksOf(bytes, 65_536), { signal: never }))
  await t.rejects(upload(bucket, 'back/7', chunksOf(bytes.subarray(0, 10), 10), { signal: never }))
  t.equal(buffers.lent, 0, 'after the store failed')
})

t.test('Parts grow with the largest object, so that 10,000 are enough', async (t) => {
  t.equal(partSizeFor(5 * 1024 ** 3), partSizeFor(1))
  for (const size of [100, 500, 5000].map((gibibytes) => gibibytes * 1024 ** 3)) {
    t.ok(partSizeFor(size) * 10_000 >= size)
    t.equal(partSizeFor(size) % 1024 ** 2, 0)
  }
})

s3Test('A bucket that cannot be used is said so, with the setting to fix', async (t) => {
  const openWith = async (changes: Parameters<typeof openBehindProxy>[1]) => (await openBehindProxy(t, changes)).store
  const says = (message: RegExp) => ({ code: 'storage_unavailable', message })
  await t.rejects((await openWith({ bucket: 'not-there' })).check(never), says(/S3_BUCKET/))
  const denied = await (await openWith({ secretAccessKey: 'wrong-secret' })).check(never).catch((error) => error)
  t.match(denied, says(/AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/))
  t.notMatch(denied.message, /wrong-secret/)
  await t.rejects((await openWith({ endpoint: 'http://127.0.0.1:9' })).check(never), says(/S3_ENDPOINT/))
})
