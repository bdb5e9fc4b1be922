import { openBucket } from '#store/s3/bucket.ts'
import { openS3Multipart } from '#store/s3/multipart-store.ts'
import { until } from '../../kit/until.ts'
import { bytesOf, collect, keptChunksOf } from '../bodies.ts'
import { keepsSessions } from '../contract-multipart.ts'
import { type Exchange, errorBody, type Operation } from '../fault-proxy.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }

s3Test('The S3 store keeps the contract of multipart sessions', async (t) => keepsSessions(t, await openBehindProxy(t)))

/** A fault of one operation; all others pass. */
function only(operation: Operation, fault: (exchange: Exchange) => unknown): (exchange: Exchange) => unknown {
  return (exchange) => (exchange.operation === operation ? fault(exchange) : exchange.pass())
}

for (const checksums of ['crc32', 'off'] as const)
  s3Test(`A session whose completion was lost is complete, checksums ${checksums}`, async (t) => {
    const { store, proxy } = await openBehindProxy(t, { checksums })
    const { multipart } = store
    const session = await multipart.create('lost/1', { partSize })
    const body = keptChunksOf(bytesOf(partSize), 65_536)
    const part = await multipart.putPart(session, 1, body, { size: partSize, signal: never })
    proxy.fault = only('CompleteMultipartUpload', async (exchange) => {
      const { status } = await exchange.deliver()
      t.match(status, exchange.nth === 1 ? 200 : /^4/, 'the store completes it once')
      exchange.cut()
    })
    const stored = await multipart.complete(session, [part])
    t.same(stored, { ...(await store.head('lost/1')), isConfirmed: true })
    proxy.fault = only('CompleteMultipartUpload', (exchange) => exchange.answer(404, errorBody('NoSuchUpload')))
    t.same(await multipart.complete(session, [part]), stored, 'also for a caller that asks later')
  })

s3Test('A session goes on after a completion that failed', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const { multipart } = store
  const session = await multipart.create('failed/1', { partSize })
  const body = keptChunksOf(bytesOf(partSize), 65_536)
  const part = await multipart.putPart(session, 1, body, { size: partSize, signal: never })
  proxy.fault = only('CompleteMultipartUpload', (exchange) => exchange.answer(503, errorBody('SlowDown')))
  await t.rejects(multipart.complete(session, [part]), unavailable)
  proxy.fault = (exchange) => exchange.pass()
  t.equal((await multipart.complete(session, [part])).size, partSize)
})

s3Test('A part is sent again by itself only when it is short enough to be kept', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const { multipart } = store
  const session = await multipart.create('again/1', { partSize: partSize + 1 })
  for (const [number, size, isStored] of [
    [1, partSize, true],
    [2, partSize + 1, false],
  ] as const) {
    proxy.seen.length = 0
    proxy.fault = only('UploadPart', (exchange) => {
      if (exchange.nth > 1) return exchange.pass()
      exchange.ask()
      exchange.request.once('data', () => exchange.cut())
    })
    const body = keptChunksOf(bytesOf(size), 65_536)
    const put = multipart.putPart(session, number, body, { size, signal: never })
    if (isStored) t.match(await put, { number, size })
    else await t.rejects(put, unavailable)
  }
})

s3Test('A part goes to the store while it arrives, and none of it is kept', async (t) => {
  const { options, proxy, store } = await openBehindProxy(t)
  const bucket = openBucket(options)
  t.teardown(() => bucket.client.destroy())
  const multipart = openS3Multipart(bucket)
  const longPart = partSize + 1
  const session = await multipart.create('arriving/1', { partSize: longPart })
  let received = 0
  proxy.fault = (exchange) => {
    exchange.request.on('data', (chunk) => {
      received += chunk.length
    })
    return exchange.pass()
  }
  async function* body() {
    let sent = 0
    for await (const chunk of keptChunksOf(bytesOf(longPart), 100_000)) {
      yield chunk
      sent += chunk.length
      await until('the store has the bytes sent', () => received > sent)
    }
  }
  const part = await multipart.putPart(session, 1, body(), { size: longPart, signal: never })
  t.equal(bucket.buffers.free + bucket.buffers.acquired, 0, 'no memory was ever needed')
  await multipart.putPart(session, 2, keptChunksOf(bytesOf(10), 10), { size: 10, signal: never })
  t.equal(bucket.buffers.acquired, 0, 'the memory of a short part comes back')
  await multipart.complete(session, [part])
  t.ok((await collect(await store.get('arriving/1', { signal: never }))).equals(bytesOf(longPart)))
})

s3Test('A part is as long as a request may be, and no longer', async (t) => {
  const { store } = await openBehindProxy(t, { largestRequest: 2 * partSize })
  await t.rejects(store.multipart.create('long/1', { partSize: 2 * partSize + 1 }), { code: 'internal' })
  t.match(await store.multipart.create('long/1', { partSize: 2 * partSize }), { partSize: 2 * partSize })
})

s3Test('A session that was not created for certain is not created a second time', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  proxy.fault = only('CreateMultipartUpload', async (exchange) => {
    await exchange.deliver()
    exchange.cut()
  })
  await t.rejects(store.multipart.create('create/1', { partSize }), unavailable)
  t.equal((await remains('create/1')).length, 1)
  await store.remove('create/1')
  t.same(await remains('create/1'), [])
})
