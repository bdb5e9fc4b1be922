import { openBucket } from '#store/s3/bucket.ts'
import { blockSize } from '#store/s3/buffer-pool.ts'
import { upload } from '#store/s3/s3-store.ts'
import { until } from '../../kit/until.ts'
import { bytesOf, chunksOf, collect, failingAfter, hangingAfter } from '../bodies.ts'
import { type Exchange, errorBody } from '../fault-proxy.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal

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

s3Test('Every block of memory comes back', async (t) => {
  const { options, proxy } = await openBehindProxy(t)
  const bucket = openBucket(options)
  t.teardown(() => bucket.client.destroy())
  const { buffers } = bucket
  const bytes = bytesOf(4 * partSize)

  const taken: number[] = []
  await upload(bucket, 'back/1', chunksOf(bytes, 65_536), {
    signal: never,
    onUpload: async () => void taken.push(buffers.acquired),
  })
  t.ok(Number(taken[0]) >= partSize / blockSize, 'a part was collected')
  t.equal(buffers.acquired, 0, 'after success')
  await upload(bucket, 'back/2', chunksOf(bytes, 4 * partSize), { signal: never })
  t.ok(buffers.free <= (3 * partSize) / blockSize, `${buffers.free} blocks were enough for uploads one after another`)

  await t.rejects(upload(bucket, 'back/3', failingAfter(bytes, new Error('The client hung up')), { signal: never }))
  t.equal(buffers.acquired, 0, 'after the body failed')

  const controller = new AbortController()
  const body = hangingAfter(bytes, () => controller.abort())
  await t.rejects(upload(bucket, 'back/4', body, { signal: controller.signal }))
  t.equal(buffers.acquired, 0, 'after an abort')

  await t.rejects(
    upload(bucket, 'back/5', chunksOf(bytes, 65_536), { signal: never, onUpload: () => Promise.reject() }),
  )
  t.equal(buffers.acquired, 0, 'after the caller failed')

  for (const [size, actual] of [
    [10, 9],
    [10, 11],
    [blockSize, blockSize + 1],
    [10, 3 * partSize],
  ] as const) {
    const body = chunksOf(bytes.subarray(0, actual), 65_536)
    await t.rejects(upload(bucket, `back/${size}/${actual}`, body, { signal: never, size }), /as announced/)
    t.equal(buffers.acquired, 0, `after ${actual} bytes instead of ${size}`)
  }

  proxy.fault = (exchange) => exchange.answer(403)
  await t.rejects(upload(bucket, 'back/6', chunksOf(bytes, 65_536), { signal: never }))
  await t.rejects(upload(bucket, 'back/7', chunksOf(bytes.subarray(0, 10), 10), { signal: never }))
  t.equal(buffers.acquired, 0, 'after the store failed')
})

for (const [what, fail] of [
  ['answers 503', (exchange: Exchange) => exchange.answer(503, errorBody('SlowDown'))],
  ['resets the connection', (exchange: Exchange) => exchange.request.socket.resetAndDestroy()],
] as const) {
  s3Test(`A part is sent again when the store ${what} in the middle of it`, async (t) => {
    const { store, proxy } = await openBehindProxy(t)
    const size = 3 * partSize + 5
    const failed = new Set<string>()
    proxy.fault = (exchange) => {
      const { operation, request } = exchange
      const part = request.url ?? ''
      if (operation !== 'UploadPart' || failed.has(part)) return exchange.pass()
      failed.add(part)
      request.once('data', () => fail(exchange))
    }
    const stored = await store.put('again/1', chunksOf(bytesOf(size), 65_536), { signal: never })
    t.equal(failed.size, 4)
    t.same(stored, { ...(await store.head('again/1')), isConfirmed: true })
    t.ok((await collect(await store.get('again/1', { signal: never }))).equals(bytesOf(size)))
  })
}

s3Test('All parts but the last have the same size', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  for (const chunkSize of [65_521, 2 * partSize + 1]) {
    proxy.seen.length = 0
    await store.put(`equal/${chunkSize}`, chunksOf(bytesOf(3 * partSize + 5), chunkSize), { signal: never })
    const sizes = proxy.seen
      .filter(({ operation }) => operation === 'UploadPart')
      .map(({ headers }) => Number(headers['content-length']))
    t.same(
      sizes.toSorted((a, b) => a - b),
      [5, partSize, partSize, partSize],
    )
  }
})
