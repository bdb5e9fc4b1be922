import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3'
import type { Test } from 'tap'
import { openBucket } from '#store/s3/bucket.ts'
import { upload } from '#store/s3/s3-store.ts'
import { until } from '../../kit/until.ts'
import { bytesOf, collect, failingAfter, keptChunksOf } from '../bodies.ts'
import { type Exchange, errorBody } from '../fault-proxy.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }
const size = 3 * partSize + 5

/** A store that takes no more than the smallest part in one request. */
const openLimited = (t: Test, checksums: 'crc32' | 'off' = 'crc32') =>
  openBehindProxy(t, { largestRequest: partSize, checksums, partSize: undefined })

/** A fault of the second part; everything else passes. */
function secondPart(fault: (exchange: Exchange) => unknown): (exchange: Exchange) => unknown {
  return (exchange) => (/partNumber=2\b/.test(exchange.request.url ?? '') ? fault(exchange) : exchange.pass())
}

s3Test('A body larger than a request may be is streamed in as few parts as can be', async (t) => {
  const { store, proxy, remains } = await openLimited(t)
  const told: string[] = []
  const stored = await store.put('parts/1', keptChunksOf(bytesOf(size), 65_521), {
    signal: never,
    size,
    async onUpload(uploadId) {
      told.push(uploadId)
      t.same(await remains('parts/1'), [`upload ${uploadId}`])
    },
  })
  t.equal(told.length, 1)
  t.same(
    proxy.seen.map(({ operation }) => operation),
    ['CreateMultipartUpload', 'UploadPart', 'UploadPart', 'UploadPart', 'UploadPart', 'CompleteMultipartUpload'],
  )
  const parts = proxy.seen.filter(({ operation }) => operation === 'UploadPart')
  for (const { headers } of parts)
    t.match(headers, {
      'content-encoding': 'aws-chunked',
      'x-amz-trailer': 'x-amz-checksum-crc32',
      expect: '100-continue',
    })
  t.same(
    parts.map(({ headers }) => headers['x-amz-decoded-content-length']),
    [partSize, partSize, partSize, 5].map(String),
  )
  t.match(stored, { size, checksum: /-4$/, isConfirmed: true })
  t.same(stored, { ...(await store.head('parts/1')), isConfirmed: true })
  t.ok((await collect(await store.get('parts/1', { signal: never }))).equals(bytesOf(size)))
})

s3Test('A body as large as a request may be is one', async (t) => {
  const { store, proxy } = await openLimited(t)
  await store.put('parts/2', keptChunksOf(bytesOf(partSize), 65_536), { signal: never, size: partSize })
  t.same(
    proxy.seen.map(({ operation }) => operation),
    ['PutObject'],
  )
})

s3Test('Streamed parts are not kept, and read no faster than the store takes them', async (t) => {
  const { options, proxy } = await openLimited(t)
  const bucket = openBucket(options)
  t.teardown(() => bucket.client.destroy())
  let produced = 0
  async function* body() {
    for await (const chunk of keptChunksOf(bytesOf(size), 65_536)) {
      produced += chunk.length
      yield chunk
    }
  }
  const isHeld = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  proxy.fault = secondPart(async (exchange) => {
    isHeld.resolve()
    await goOn.promise
    await exchange.pass()
  })
  const put = upload(bucket, 'held/1', body(), { signal: never, size })
  await isHeld.promise
  for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate)
  t.ok(produced < partSize + 65_536, 'nothing of the second part was read before the store asked for it')
  t.equal(bucket.buffers.acquired, 0)
  goOn.resolve()
  t.equal((await put).size, size)
  t.equal(bucket.buffers.free + bucket.buffers.acquired, 0, 'no memory was ever needed')
  t.equal(proxy.openFor('UploadPart'), 1, 'the connection is kept')
})

s3Test('Each streamed part is tried again as long as nothing of it was asked for', async (t) => {
  const { store, proxy } = await openLimited(t)
  const refused = new Set<string>()
  proxy.fault = (exchange) => {
    const { operation, request } = exchange
    const part = request.url ?? ''
    if (operation !== 'UploadPart' || refused.has(part)) return exchange.pass()
    refused.add(part)
    exchange.answer(503, errorBody('SlowDown'))
  }
  const stored = await store.put('again/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
  t.equal(refused.size, 4)
  t.same(stored, { ...(await store.head('again/1')), isConfirmed: true })
  t.ok((await collect(await store.get('again/1', { signal: never }))).equals(bytesOf(size)))
})

for (const checksums of ['crc32', 'off'] as const) {
  s3Test(`A streamed part that is broken off leaves an upload for remove, checksums ${checksums}`, async (t) => {
    const { store, proxy, remains } = await openLimited(t, checksums)
    let uploadId = ''
    const onUpload = async (id: string) => {
      uploadId = id
    }
    proxy.fault = secondPart((exchange) => {
      exchange.ask()
      exchange.request.once('data', exchange.cut)
    })
    const put = store.put('broken/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size, onUpload })
    await t.rejects(put, unavailable)
    t.notOk(proxy.seen.some(({ operation }) => operation === 'CompleteMultipartUpload'))
    t.same(await remains('broken/1'), [`upload ${uploadId}`])
    await store.remove('broken/1', { uploadId })
    t.same(await remains('broken/1'), [])
    await until('no connection of a part is kept', () => proxy.openFor('UploadPart') === 0)
  })

  s3Test(`A client that fails in the second part leaves an upload for remove, checksums ${checksums}`, async (t) => {
    const { store, remains } = await openLimited(t, checksums)
    const failure = new Error('The client hung up')
    for (const sent of [partSize, partSize + 1, 2 * partSize, size]) {
      const key = `client/${sent}`
      const put = store.put(key, failingAfter(bytesOf(sent), failure), { signal: never, size })
      t.equal(await put.catch((error) => error), failure)
      t.match(await remains(key), [/^upload /])
      await store.remove(key)
      t.same(await remains(key), [])
    }
  })
}

s3Test('A streamed part that is falsified on the way is not stored', async (t) => {
  const { store, proxy, remains } = await openLimited(t)
  let refusal = 0
  proxy.fault = secondPart(async (exchange) => {
    const { status, body } = await exchange.deliver((bytes) => {
      bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
      return bytes
    })
    refusal = status
    exchange.answer(status, body)
  })
  await t.rejects(store.put('false/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size }), unavailable)
  t.equal(refusal, 400)
  await store.remove('false/1')
  t.same(await remains('false/1'), [])
})

s3Test('Streamed parts whose completion is lost are an object', async (t) => {
  const { store, proxy } = await openLimited(t)
  proxy.fault = async (exchange) => {
    if (exchange.operation !== 'CompleteMultipartUpload') return exchange.pass()
    if (exchange.nth > 1) return exchange.answer(404, errorBody('NoSuchUpload'))
    t.equal((await exchange.deliver()).status, 200)
    exchange.cut()
  }
  const stored = await store.put('lost/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
  t.same(stored, { ...(await store.head('lost/1')), isConfirmed: true })
})

s3Test('An upload taken away between its parts fails the put', async (t) => {
  const { store, proxy, client, bucket, remains } = await openLimited(t)
  let uploadId = ''
  proxy.fault = secondPart(async (exchange) => {
    await store.remove('taken/1', { uploadId })
    await exchange.pass()
  })
  const put = store.put('taken/1', keptChunksOf(bytesOf(size), 65_536), {
    signal: never,
    size,
    async onUpload(id) {
      uploadId = id
    },
  })
  await t.rejects(put, unavailable)
  const complete = new CompleteMultipartUploadCommand({ Bucket: bucket, Key: 'taken/1', UploadId: uploadId })
  await t.rejects(client.send(complete))
  t.same(await remains('taken/1'), [])
})
