import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { openBucket, sharedMemory } from '#store/s3/bucket.ts'
import { blockSize } from '#store/s3/buffer-pool.ts'
import { upload } from '#store/s3/s3-store.ts'
import { until } from '../../kit/until.ts'
import { bytesOf, collect, hangingAfter, keptChunksOf } from '../bodies.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const mebibyte = 1024 * 1024

s3Test('A body whose size is known is one request, however large', async (t) => {
  const { store, proxy, client, bucket } = await openBehindProxy(t)
  for (const size of [partSize + 1, 4 * partSize + 1]) {
    proxy.seen.length = 0
    const key = `streamed/${size}`
    const onUpload = async () => {
      t.fail('a multipart upload was begun')
    }
    const stored = await store.put(key, keptChunksOf(bytesOf(size), 65_536), { signal: never, size, onUpload })
    t.same(
      proxy.seen.map(({ operation }) => operation),
      ['PutObject'],
    )
    const [frames, last] = [Math.floor(size / mebibyte), size % mebibyte]
    const framing = frames * '100000\r\n\r\n'.length + last.toString(16).length + 4
    t.match(proxy.seen[0]?.headers, {
      'content-encoding': 'aws-chunked',
      'content-length': String(size + framing + '0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'.length),
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(size),
      'x-amz-trailer': 'x-amz-checksum-crc32',
      expect: '100-continue',
    })
    t.notOk(proxy.seen[0]?.headers['transfer-encoding'])
    t.same(stored, { ...(await store.head(key)), isConfirmed: true })
    t.match(stored.checksum, /^\S{8}$/, 'of the whole object, not of its parts')
    const { ContentEncoding } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
    t.notMatch(ContentEncoding ?? '', /aws-chunked/, 'how it was sent is not what it is')
  }
})

s3Test('Bodies of known size, one after the other, need one connection', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  for (const [number, size] of [1, blockSize, partSize, partSize + 1, 3 * partSize, partSize + 2, 1].entries())
    await store.put(`one/${number}`, keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
  t.equal(new Set(proxy.seen.map(({ request }) => request.socket)).size, 1)
})

s3Test('A body that fits one part is collected, and sent as it is, without a question', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  for (const size of [blockSize, blockSize + 1, partSize]) {
    proxy.seen.length = 0
    await store.put(`short/${size}`, keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
    t.equal(proxy.seen.length, 1)
    t.match(proxy.seen[0]?.headers, { 'content-length': String(size), 'x-amz-checksum-crc32': /=$/ })
    t.notOk(proxy.seen[0]?.headers.expect)
  }
})

s3Test('While memory is scarce, a body that fits one part is streamed', async (t) => {
  const { options, proxy } = await openBehindProxy(t)
  const bucket = openBucket(options)
  t.teardown(() => bucket.client.destroy())
  using _others = bucket.buffers.open(0, sharedMemory - partSize)
  await upload(bucket, 'scarce/1', keptChunksOf(bytesOf(partSize), 65_536), { signal: never, size: partSize })
  t.match(proxy.seen[0]?.headers, { expect: '100-continue', 'x-amz-decoded-content-length': String(partSize) })
  t.equal(bucket.buffers.acquired, 0)
})

s3Test('A store that does not ask for bytes is waited for once, and then gets them over new connections', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const expects: unknown[] = []
  proxy.fault = (exchange) => {
    const { headers } = exchange.request
    if (exchange.operation === 'PutObject') expects.push(headers.expect)
    // Neither side is asked for the bytes then.
    delete headers.expect
    return exchange.pass()
  }
  const size = partSize + 1
  for (const number of [1, 2, 3]) {
    await store.put(`unasked/${number}`, keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
    t.ok((await collect(await store.get(`unasked/${number}`, { signal: never }))).equals(bytesOf(size)))
  }
  t.same(expects, ['100-continue', undefined, undefined])
  const puts = proxy.seen.filter(({ operation }) => operation === 'PutObject')
  t.equal(new Set(puts.map(({ request }) => request.socket)).size, 3)
})

s3Test('A store that asks late is asked again the next time', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const size = partSize + 1
  let isLate = true
  proxy.fault = async (exchange) => {
    if (exchange.operation !== 'PutObject' || !isLate) return exchange.pass()
    isLate = false
    // The first byte comes without having been asked for.
    await once(exchange.request, 'readable')
    await exchange.pass()
  }
  for (const number of [1, 2]) {
    await store.put(`late/${number}`, keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
    t.ok((await collect(await store.get(`late/${number}`, { signal: never }))).equals(bytesOf(size)))
  }
  const puts = proxy.seen.filter(({ operation }) => operation === 'PutObject')
  t.same(
    puts.map(({ headers }) => headers.expect),
    ['100-continue', '100-continue'],
  )
})

s3Test('Without checksums a body of known size is sent as it is', async (t) => {
  const { store, proxy } = await openBehindProxy(t, { checksums: 'off' })
  const size = partSize + 1
  const stored = await store.put('off/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
  t.same(stored, { size, checksum: undefined, isConfirmed: false })
  t.equal(proxy.seen.length, 1)
  t.match(proxy.seen[0]?.headers, {
    'content-length': String(size),
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    expect: '100-continue',
  })
  t.notMatch(Object.keys(proxy.seen[0]?.headers ?? {}).join(), /checksum|trailer|decoded|content-encoding/)
  t.ok((await collect(await store.get('off/1', { signal: never }))).equals(bytesOf(size)))
})

s3Test('A body of known size goes to the store while it arrives, and none of it is kept', async (t) => {
  const { options, proxy } = await openBehindProxy(t)
  const bucket = openBucket(options)
  t.teardown(() => bucket.client.destroy())
  const size = 2 * partSize
  let received = 0
  proxy.fault = (exchange) => {
    exchange.request.on('data', (chunk) => {
      received += chunk.length
    })
    return exchange.pass()
  }
  let mostLent = 0
  async function* body() {
    let sent = 0
    for await (const chunk of keptChunksOf(bytesOf(size), 100_000)) {
      yield chunk
      sent += chunk.length
      await until('the store has what was sent', () => received > sent)
      mostLent = Math.max(mostLent, bucket.buffers.acquired)
    }
  }
  t.equal((await upload(bucket, 'arriving/1', body(), { signal: never, size })).size, size)
  t.equal(mostLent, 0)
  t.equal(bucket.buffers.free, 0, 'no memory was ever needed')
})

for (const checksums of ['crc32', 'off'] as const) {
  t.test(`A store that takes nothing more keeps a body from being read, checksums ${checksums}`, async (t) => {
    const deaf = await openDeafStore(t)
    const bucket = openBucket({
      ...{ bucket: 'any', region: 'us-east-1', endpoint: deaf.endpoint, accessKeyId: 'any', secretAccessKey: 'any' },
      ...{ forcePathStyle: true, checksums, maxObjectSize: 1024 ** 3 },
      timeouts: { connect: 3000, silence: 1500, completion: 3000 },
    })
    t.teardown(() => bucket.client.destroy())
    const chunk = bytesOf(65_536)
    let produced = 0
    async function* body() {
      for (; produced < 1024 ** 3; produced += chunk.length) yield chunk
    }
    const put = upload(bucket, 'deaf/1', body(), { signal: never, size: 1024 ** 3 })
    await t.rejects(put, { code: 'storage_unavailable', cause: /has not gone on for 1500 ms/ })
    t.equal(bucket.buffers.free + bucket.buffers.acquired, 0)
    const taken = await deaf.countTaken()
    t.ok(taken > 0)
    t.ok(produced - taken <= 3 * chunk.length, `${produced - taken} bytes were read that the store's side never got`)
  })
}

s3Test('A client that fails in mid-body leaves neither object nor connection', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  const size = 3 * partSize
  const failure = new Error('The client hung up')
  async function* body() {
    yield* keptChunksOf(bytesOf(partSize + 1), 65_536)
    await until('the store is being sent to', () => proxy.sockets.size === 1)
    throw failure
  }
  t.equal(await store.put('client/1', body(), { signal: never, size }).catch((error) => error), failure)
  await until('the connection is closed', () => proxy.sockets.size === 0)
  t.same(await remains('client/1'), [])
  t.equal(proxy.seen.length, 1, 'and nobody asks whether it is there after all')
})

s3Test('An upload that is given up leaves neither object nor connection', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  const controller = new AbortController()
  const body = hangingAfter(bytesOf(partSize + 1), async () => {
    await until('the store is being sent to', () => proxy.sockets.size === 1)
    controller.abort()
  })
  await t.rejects(store.put('client/2', body, { signal: controller.signal, size: 2 * partSize }), {
    name: 'AbortError',
  })
  await until('the connection is closed', () => proxy.sockets.size === 0)
  t.same(await remains('client/2'), [])
})

/** A store that asks for the bytes and then reads none of them, and has no object. */
async function openDeafStore(t: Test) {
  const sockets: Socket[] = []
  let isAsked = false
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.once('data', (head) => {
      if (String(head).startsWith('HEAD ')) return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
      socket.pause()
      isAsked = /expect: 100-continue/i.test(String(head)) && String(head).endsWith('\r\n\r\n')
      socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** What had left the client when it gave up: the bytes that lie in this end's buffers and on the way. */
    async countTaken(): Promise<number> {
      t.ok(isAsked, 'nothing came before it was asked for')
      const [socket] = sockets as [Socket]
      let taken = 0
      socket.on('data', (chunk) => {
        taken += chunk.length
      })
      socket.resume()
      await once(socket, 'close')
      return taken
    },
  }
}
