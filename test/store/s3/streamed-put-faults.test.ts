import { once } from 'node:events'
import { until } from '../../kit/until.ts'
import { bytesOf, collect, hangingAfter, keptChunksOf } from '../bodies.ts'
import { type Exchange, errorBody, type FaultProxy, type Operation } from '../fault-proxy.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }
const size = 2 * partSize + 5
const known = { signal: never, size }

/** The body, and how far it has been read. */
function watched() {
  const progress = { read: 0, isClosed: false }
  async function* body() {
    try {
      for await (const chunk of keptChunksOf(bytesOf(size), 65_536)) {
        progress.read += chunk.length
        yield chunk
      }
    } finally {
      progress.isClosed = true
    }
  }
  return { body: body(), progress }
}

/** A fault of the first PutObject; everything else passes. */
function firstPut(fault: (exchange: Exchange) => unknown): (exchange: Exchange) => unknown {
  return (exchange) => (exchange.operation === 'PutObject' && exchange.nth === 1 ? fault(exchange) : exchange.pass())
}

/** Takes a good part of the body from the client. */
async function takeSome({ ask, request }: Exchange): Promise<void> {
  ask()
  let taken = 0
  for (request.resume(); taken < partSize; ) {
    const [chunk] = await once(request, 'data')
    taken += chunk.length
  }
}

function countOf({ seen }: FaultProxy, operation: Operation): number {
  return seen.filter((one) => one.operation === operation).length
}

for (const [what, place] of [
  ['the first byte', (bytes: Buffer) => bytes.indexOf('\n') + 1],
  ['a byte of a later frame', (bytes: Buffer) => bytes.length - 1_000_000],
  ['the last byte', (bytes: Buffer) => bytes.lastIndexOf('\r\n0\r\n') - 1],
  ['the checksum', (bytes: Buffer) => bytes.lastIndexOf('==') - 3],
] as const) {
  s3Test(`A stream in which ${what} is falsified on the way is not stored`, async (t) => {
    const { store, proxy, remains } = await openBehindProxy(t)
    let refusal = 0
    proxy.fault = firstPut(async (exchange) => {
      const { status, body } = await exchange.deliver((bytes) => {
        const at = place(bytes)
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
        return bytes
      })
      refusal = status
      exchange.answer(status, body)
    })
    await t.rejects(store.put('false/1', keptChunksOf(bytesOf(size), 65_536), known), unavailable)
    t.equal(refusal, 400, 'it is the store that refuses')
    t.equal(await store.head('false/1'), undefined)
    t.same(await remains('false/1'), [])
  })
}

for (const [what, refuse] of [
  ['answers 503', (exchange: Exchange) => exchange.answer(503, errorBody('SlowDown'))],
  ['breaks off', (exchange: Exchange) => exchange.cut()],
] as const) {
  s3Test(`A store that ${what} before it asks for a byte is asked again, and the client does not notice`, async (t) => {
    const { store, proxy } = await openBehindProxy(t)
    const { body, progress } = watched()
    const readBefore: number[] = []
    proxy.fault = (exchange) => {
      if (exchange.operation !== 'PutObject') return exchange.pass()
      readBefore.push(progress.read)
      return exchange.nth <= 2 ? refuse(exchange) : exchange.pass()
    }
    const stored = await store.put('again/1', body, known)
    await until('the refused connections are closed', () => proxy.sockets.size === 1)
    t.same(readBefore, [0, 0, 0])
    t.same(stored, { ...(await store.head('again/1')), isConfirmed: true })
    t.ok((await collect(await store.get('again/1', { signal: never }))).equals(bytesOf(size)))
  })

  s3Test(`A store that always ${what} before it asks for a byte fails the put, unread`, async (t) => {
    const { store, proxy, remains } = await openBehindProxy(t)
    const { body, progress } = watched()
    proxy.fault = (exchange) => (exchange.operation === 'PutObject' ? refuse(exchange) : exchange.pass())
    await t.rejects(store.put('again/2', body, known), unavailable)
    t.equal(countOf(proxy, 'PutObject'), 3)
    t.equal(progress.read, 0)
    t.same(await remains('again/2'), [])
    await until('every connection of a put is closed', () => proxy.openFor('PutObject') === 0)
  })
}

s3Test('A store that refuses a stream is not asked again, and the client not read', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const { body, progress } = watched()
  proxy.fault = firstPut((exchange) => exchange.answer(403, errorBody('AccessDenied')))
  await t.rejects(store.put('refused/1', body, known), { ...unavailable, cause: { name: 'AccessDenied' } })
  t.equal(countOf(proxy, 'PutObject'), 1)
  t.equal(progress.read, 0)
  await until('the connection of the put is closed', () => proxy.openFor('PutObject') === 0)
})

for (const checksums of ['crc32', 'off'] as const) {
  for (const [what, fail] of [
    ['answers 503', (exchange: Exchange) => exchange.answer(503, errorBody('SlowDown'))],
    ['answers 500', (exchange: Exchange) => exchange.answer(500, errorBody('InternalError'))],
    ['breaks off', (exchange: Exchange) => exchange.cut()],
    ['resets the connection', (exchange: Exchange) => exchange.request.socket.resetAndDestroy()],
  ] as const) {
    s3Test(`A store that ${what} in mid-body fails the put, checksums ${checksums}`, async (t) => {
      const { store, proxy, remains } = await openBehindProxy(t, { checksums })
      const { body, progress } = watched()
      proxy.fault = firstPut(async (exchange) => {
        await takeSome(exchange)
        fail(exchange)
      })
      await t.rejects(store.put('middle/1', body, known), unavailable)
      t.equal(countOf(proxy, 'PutObject'), 1, 'what was not kept is not sent again')
      t.ok(progress.read >= partSize)
      t.ok(progress.isClosed, 'the client is let go')
      t.same(await remains('middle/1'), [])
      await until('the connection of the put is closed', () => proxy.openFor('PutObject') === 0)
    })
  }

  s3Test(`A store that fails in mid-body fails the put though the client hangs, checksums ${checksums}`, async (t) => {
    const { store, proxy, remains } = await openBehindProxy(t, { checksums })
    proxy.fault = firstPut(async (exchange) => {
      await takeSome(exchange)
      exchange.answer(500, errorBody('InternalError'))
    })
    const hanging = hangingAfter(bytesOf(partSize + 1_000_000))
    await t.rejects(store.put('middle/2', hanging, known), unavailable)
    t.same(await remains('middle/2'), [])
    await until('the connection of the put is closed', () => proxy.openFor('PutObject') === 0)
  })

  s3Test(`A streamed object whose answer is lost is stored, checksums ${checksums}`, async (t) => {
    const { store, proxy } = await openBehindProxy(t, { checksums })
    for (const [key, lose] of [
      ['lost/1', (exchange: Exchange) => exchange.cut()],
      ['lost/2', (exchange: Exchange) => exchange.answer(500, errorBody('InternalError'))],
    ] as const) {
      proxy.seen.length = 0
      proxy.fault = firstPut(async (exchange) => {
        t.equal((await exchange.deliver()).status, 200)
        lose(exchange)
      })
      const stored = await store.put(key, keptChunksOf(bytesOf(size), 65_536), known)
      const { isConfirmed, ...object } = stored
      t.same(object, await store.head(key))
      t.ok(isConfirmed || checksums === 'off')
      t.equal(countOf(proxy, 'PutObject'), 1)
    }
  })
}

s3Test('A store that takes for stored what it was not sent is not believed', async (t) => {
  const { store, proxy } = await openBehindProxy(t, { checksums: 'off' })
  const { body, progress } = watched()
  proxy.fault = firstPut(({ response }) => response.writeHead(200, { etag: '"1"' }).end())
  await t.rejects(store.put('early/1', body, known), unavailable)
  t.equal(progress.read, 0)

  proxy.seen.length = 0
  proxy.fault = firstPut(async (exchange) => {
    await takeSome(exchange)
    exchange.response.writeHead(200, { etag: '"1"' }).end()
  })
  await t.rejects(store.put('early/2', hangingAfter(bytesOf(partSize + 1_000_000)), known), unavailable)
  await until('the connections of the puts are closed', () => proxy.openFor('PutObject') === 0)
})

s3Test('Another object of the same size does not count as the one that was streamed', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  await store.put('other/1', keptChunksOf(bytesOf(size + 1).subarray(1), 65_536), known)
  proxy.seen.length = 0
  proxy.fault = firstPut(async (exchange) => {
    await takeSome(exchange)
    exchange.cut()
  })
  await t.rejects(store.put('other/1', keptChunksOf(bytesOf(size), 65_536), known), unavailable)
})

s3Test('A store that names another checksum, or none, has confirmed nothing', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  for (const [key, answered] of [
    ['named/1', 'AAAAAA=='],
    ['named/2', undefined],
  ] as const) {
    proxy.seen.length = 0
    proxy.fault = firstPut(async ({ deliver, response }) => {
      await deliver()
      response.writeHead(200, { etag: '"1"', ...(answered && { 'x-amz-checksum-crc32': answered }) }).end()
    })
    const stored = await store.put(key, keptChunksOf(bytesOf(size), 65_536), known)
    t.same(stored, { ...(await store.head(key)), isConfirmed: false })
  }
})

s3Test('Of many streams at once, those that the store breaks off fail, and no others', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  proxy.fault = async (exchange) => {
    const key = Number(/crowd\/(\d+)/.exec(exchange.request.url ?? '')?.[1] ?? 0)
    if (exchange.operation !== 'PutObject' || key % 2 === 0) return exchange.pass()
    await takeSome(exchange)
    exchange.cut()
  }
  const keys = Array.from({ length: 10 }, (_, index) => `crowd/${index}`)
  const puts = await Promise.allSettled(
    keys.map((key, i) => store.put(key, keptChunksOf(bytesOf(size + i).subarray(i), 65_536), known)),
  )
  for (const [i, { status }] of puts.entries()) {
    const key = keys[i] as string
    t.equal(status, i % 2 === 0 ? 'fulfilled' : 'rejected')
    t.equal((await remains(key)).length, i % 2 === 0 ? 1 : 0)
    if (i % 2 > 0) continue
    t.ok((await collect(await store.get(key, { signal: never }))).equals(bytesOf(size + i).subarray(i)), key)
  }
})
