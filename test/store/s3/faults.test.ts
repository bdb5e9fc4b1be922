import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import type { StoredObject } from '#store/object-store.ts'
import { openS3Store } from '#store/s3/s3-store.ts'
import { bytesOf, chunksOf, collect, hangingAfter } from '../bodies.ts'
import { type Exchange, errorBody, type Operation } from '../fault-proxy.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }
const small = () => chunksOf(bytesOf(1000), 1000)
const large = () => chunksOf(bytesOf(2 * partSize + 5), 65_536)

/** What a put says of an object that the store has confirmed. */
const confirmed = (found: StoredObject | undefined) => ({ ...found, isConfirmed: true })

/** A fault of one operation; all others pass. */
function only(operation: Operation, fault: (exchange: Exchange) => unknown): (exchange: Exchange) => unknown {
  return (exchange) => (exchange.operation === operation ? fault(exchange) : exchange.pass())
}

s3Test('A store that fails twice and then works is asked again', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  proxy.fault = (exchange) =>
    exchange.nth <= 2 ? exchange.answer(503, errorBody('ServiceUnavailable')) : exchange.pass()
  t.same(await store.put('again/1', small(), { signal: never }), confirmed(await store.head('again/1')))
  t.same(await store.put('again/2', large(), { signal: never }), confirmed(await store.head('again/2')))
  t.ok((await collect(await store.get('again/2', { signal: never }))).equals(bytesOf(2 * partSize + 5)))
  await store.remove('again/2')
  t.same(await remains('again/2'), [])
})

s3Test('A store that refuses is not asked again', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  proxy.fault = only('PutObject', (exchange) => exchange.answer(403, errorBody('AccessDenied')))
  const error = await store.put('refused/1', small(), { signal: never }).catch((error) => error)
  t.match(error, { ...unavailable, cause: { name: 'AccessDenied' } })
  t.notMatch(error.message, /AccessDenied/)
  t.equal(proxy.seen.filter(({ operation }) => operation === 'PutObject').length, 1)
})

s3Test('A part that cannot be stored fails the upload, though the body hangs', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  proxy.fault = only('UploadPart', (exchange) => exchange.answer(500, errorBody('InternalError')))
  await t.rejects(store.put('part/1', hangingAfter(bytesOf(2 * partSize)), { signal: never }), unavailable)
  await store.remove('part/1')
  t.same(await remains('part/1'), [])
})

s3Test('Bytes that are falsified on their way are not stored', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const falsify = async (exchange: Exchange) => {
    const { status, body } = await exchange.deliver((bytes) => {
      bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
      return bytes
    })
    exchange.answer(status, body)
  }
  proxy.fault = only('PutObject', falsify)
  await t.rejects(store.put('false/1', small(), { signal: never }), unavailable)
  t.equal(await store.head('false/1'), undefined)
  proxy.fault = only('UploadPart', falsify)
  await t.rejects(store.put('false/2', large(), { signal: never }), unavailable)
  t.equal(await store.head('false/2'), undefined)
})

s3Test('An object whose answer is lost is stored', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const loseAnswer = async (exchange: Exchange) => {
    await exchange.deliver()
    exchange.cut()
  }
  proxy.fault = only('PutObject', loseAnswer)
  t.same(await store.put('lost/1', small(), { signal: never }), confirmed(await store.head('lost/1')))
  proxy.fault = only('CompleteMultipartUpload', loseAnswer)
  t.same(await store.put('lost/2', large(), { signal: never }), confirmed(await store.head('lost/2')))
})

s3Test('A completion that is tried again and told of no such upload is complete', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  proxy.fault = only('CompleteMultipartUpload', async (exchange) => {
    if (exchange.nth > 1) return exchange.answer(404, errorBody('NoSuchUpload'))
    await exchange.deliver()
    exchange.cut()
  })
  t.same(await store.put('lost/3', large(), { signal: never }), confirmed(await store.head('lost/3')))
})

for (const [what, body] of [
  ['an error', errorBody('InternalError')],
  ['an error and a line break', `${errorBody('InternalError')}\n`],
  ['nothing', ''],
] as const) {
  s3Test(`A completion that is answered 200 with ${what} counts when the object is there`, async (t) => {
    const { store, proxy, remains } = await openBehindProxy(t)
    proxy.fault = only('CompleteMultipartUpload', async (exchange) => {
      await exchange.deliver()
      exchange.answer(200, body)
    })
    t.same(await store.put('complete/1', large(), { signal: never }), confirmed(await store.head('complete/1')))

    proxy.fault = only('CompleteMultipartUpload', (exchange) => exchange.answer(200, body))
    await t.rejects(store.put('complete/2', large(), { signal: never }), unavailable)
    t.equal(await store.head('complete/2'), undefined)
    await store.remove('complete/2')
    t.same(await remains('complete/2'), [])
  })
}

s3Test('Another object under the key does not count', async (t) => {
  const { store, proxy, client, bucket } = await openBehindProxy(t)
  const others = [bytesOf(999), bytesOf(1001).subarray(1)]
  proxy.fault = only('PutObject', (exchange) => exchange.cut())
  for (const Body of others) {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'other/1', Body, ChecksumAlgorithm: 'CRC32' }))
    await t.rejects(store.put('other/1', small(), { signal: never }), unavailable)
  }
})

s3Test('An object that is cut short fails instead of ending early', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  await store.put('short/1', small(), { signal: never })
  proxy.fault = only('GetObject', ({ response, cut }) => {
    response.writeHead(200, { 'content-length': 1000 })
    response.write(Buffer.alloc(500), cut)
  })
  await t.rejects(collect(await store.get('short/1', { signal: never })))
})

t.test('A store that answers before it was sent everything is sent no more', async (t) => {
  const size = 64 * 1024 ** 2
  const { store, puts } = await openAnsweringEarly(t, size)
  await store.put('early/1', chunksOf(bytesOf(size), size), { signal: never })
  const [first, second] = puts
  t.equal(second?.received, size, 'the second try was taken')
  first?.socket.resume()
  if (!first?.socket.closed) await once(first?.socket as Socket, 'close')
  t.ok(Number(first?.received) < size, 'the connection of the first ended before all was sent')
})

/** A store whose server answers its first request with 503 and leaves it unread, and takes the second. */
async function openAnsweringEarly(t: Test, size: number) {
  const puts: { socket: Socket; received: number }[] = []
  const server = createServer((socket) => {
    const put = { socket, received: 0 }
    puts.push(put)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const isHead = put.received === 0 && chunk.includes('HTTP/1.1')
      put.received += isHead ? chunk.length - chunk.indexOf('\r\n\r\n') - 4 : chunk.length
      if (puts[0] === put && isHead) socket.pause().write('HTTP/1.1 503 Slow\r\ncontent-length: 0\r\n\r\n')
      else if (put.received === size) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const store = openS3Store({
    ...{ bucket: 'any', region: 'us-east-1', endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    ...{ forcePathStyle: true, checksums: 'crc32', accessKeyId: 'any', secretAccessKey: 'any' },
    ...{ maxObjectSize: size, partSize: size },
  })
  t.teardown(async () => {
    await store.close()
    server.close()
  })
  return { store, puts }
}
