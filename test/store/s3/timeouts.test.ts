import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { hashObject } from '#store/hash-object.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { bytesOf, chunksOf, collect } from '../bodies.ts'
import { openFaultProxy } from '../fault-proxy.ts'
import { openAt, partSize } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }

/** Milliseconds; long enough for a busy machine, short enough to wait for. */
const timeouts = { connect: 400, silence: 600, completion: 1800 }

t.test('A store that cannot be reached fails everything at once', async (t) => {
  const store = openAt(t, `http://127.0.0.1:${await closedPort()}`)
  await t.test('with the default timeouts', { timeout: 10_000 }, (t) => failsAll(t, store))
})

t.test('A store that accepts and never answers fails everything, and is asked once', async (t) => {
  const silent = await openFaultProxy(t, 'http://unused')
  silent.fault = () => {}
  const store = openAt(t, silent.endpoint, { timeouts })
  const started = performance.now()
  await failsAll(t, store)
  const operations = silent.seen.map(({ operation }) => operation)
  t.same(operations.filter((operation) => operation !== 'HeadObject' && operation !== 'other').toSorted(), [
    'CreateMultipartUpload',
    'DeleteObject',
    'GetObject',
    'ListMultipartUploads',
    'PutObject',
  ])
  t.ok(performance.now() - started < 15 * timeouts.silence)
})

t.test('A store that goes silent in the middle of a part fails the upload', async (t) => {
  const silent = await openFaultProxy(t, 'http://unused')
  silent.fault = ({ operation, answer }) => {
    if (operation === 'CreateMultipartUpload') answer(200, '<A><UploadId>1</UploadId></A>')
  }
  const store = openAt(t, silent.endpoint, { timeouts })
  await t.rejects(store.put('a/1', chunksOf(bytesOf(4 * partSize), 65_536), { signal: never }), unavailable)
})

t.test('A store that goes silent in the middle of an object fails the read', async (t) => {
  const silent = await openFaultProxy(t, 'http://unused')
  silent.fault = ({ response }) => response.writeHead(200, { 'content-length': 1000 }).write(Buffer.alloc(500))
  const store = openAt(t, silent.endpoint, { timeouts })
  await t.rejects(collect(await store.get('a/1', { signal: never })), /sent nothing for 600 ms/)
})

t.test('A slow reader is not taken for a silent store', async (t) => {
  const size = 64 * 1024 ** 2
  const proxy = await openFaultProxy(t, 'http://unused')
  proxy.fault = ({ response }) => response.writeHead(200, { 'content-length': size }).end(Buffer.alloc(size))
  const store = openAt(t, proxy.endpoint, { timeouts })
  let read = 0
  for await (const chunk of await store.get('a/1', { signal: never })) {
    if (read === 0) await delay(3 * timeouts.silence)
    read += chunk.length
  }
  t.equal(read, size)
})

t.test('A slow store that keeps taking bytes is not taken for a silent one', async (t) => {
  const size = 64 * 1024 ** 2
  const slow = await openFaultProxy(t, 'http://unused')
  slow.fault = async ({ request, answer }) => {
    let read = 0
    for await (const chunk of request) {
      read += chunk.length
      if (read > 4 * 1024 ** 2) {
        read = 0
        await delay(timeouts.silence / 6)
      }
    }
    answer(200)
  }
  const store = openAt(t, slow.endpoint, { timeouts, partSize: size })
  const started = performance.now()
  t.equal((await store.put('a/1', chunksOf(bytesOf(size), size), { signal: never })).size, size)
  t.ok(performance.now() - started > timeouts.silence, 'it took longer than the store may be silent')
})

t.test('A completion may take its time, but not for ever', async (t) => {
  const slow = await openFaultProxy(t, 'http://unused')
  slow.fault = async ({ operation, request, response, answer }) => {
    await buffer(request)
    if (operation === 'other') return answer(200)
    if (operation === 'CreateMultipartUpload') return answer(200, '<A><UploadId>1</UploadId></A>')
    if (operation === 'UploadPart') return response.writeHead(200, { etag: '"1"' }).end()
    if (request.url?.startsWith('/any/for/ever')) return
    await delay(2 * timeouts.silence)
    answer(200, '<A><ETag>"1"</ETag></A>')
  }
  const store = openAt(t, slow.endpoint, { timeouts })
  const put = (key: string) => store.put(key, chunksOf(bytesOf(2 * partSize), 65_536), { signal: never })
  await t.resolves(put('its/time'))
  await t.rejects(put('for/ever'), unavailable)
})

t.test('A completion is given up soon when the store answers nothing else either', async (t) => {
  const silent = await openFaultProxy(t, 'http://unused')
  silent.fault = async ({ operation, request, response, answer }) => {
    await buffer(request)
    if (operation === 'CreateMultipartUpload') return answer(200, '<A><UploadId>1</UploadId></A>')
    if (operation === 'UploadPart') response.writeHead(200, { etag: '"1"' }).end()
  }
  const store = openAt(t, silent.endpoint, { timeouts: { ...timeouts, completion: 60_000 } })
  const started = performance.now()
  await t.rejects(store.put('a/1', chunksOf(bytesOf(2 * partSize), 65_536), { signal: never }), unavailable)
  t.ok(performance.now() - started < 20_000)
})

t.test('Lists, deletions and what workers read go on though readers have taken every socket', async (t) => {
  const proxy = await openFaultProxy(t, 'http://unused')
  const stalled = { 'content-length': 1000 }
  proxy.fault = ({ operation, request, response }) => {
    if (operation === 'GetObject' && request.url?.startsWith('/any/stalled'))
      response.writeHead(200, stalled).write(Buffer.alloc(500))
    else if (operation === 'GetObject') response.writeHead(200).end('all')
    else if (operation === 'DeleteObject') response.writeHead(204).end()
    else response.writeHead(200).end('<A></A>')
  }
  const store = openAt(t, proxy.endpoint, { timeouts: { ...timeouts, silence: 60_000 }, maxSockets: 1 })
  const reading = await store.get('stalled/1', { signal: never })
  await t.rejects(store.get('a/2', { signal: never }), unavailable)
  t.equal((await hashObject(store, 'a/2', 'sha256', never)).size, 3)
  for (const listing of ['objects', 'versions', 'uploads'] as const)
    for await (const page of store.list(listing, { signal: never })) t.same(page, [])
  await t.resolves(store.remove('a/2'))
  reading.on('error', () => {}).destroy()
})

t.test('A read that finds no free socket fails, and uploads have sockets of their own', async (t) => {
  const proxy = await openFaultProxy(t, 'http://unused')
  proxy.fault = ({ operation, response }) => {
    if (operation === 'GetObject') response.writeHead(200, { 'content-length': 1000 }).write(Buffer.alloc(500))
    else response.writeHead(200).end()
  }
  const store = openAt(t, proxy.endpoint, { timeouts: { ...timeouts, silence: 60_000 }, maxSockets: 1 })
  const reading = await store.get('a/1', { signal: never })
  await t.rejects(store.get('a/2', { signal: never }), unavailable)
  await t.resolves(store.put('a/3', chunksOf(bytesOf(10), 10), { signal: never }))
  reading.on('error', () => {}).destroy()
  const next = await store.get('a/4', { signal: never })
  next.on('error', () => {}).destroy()
})

async function failsAll(t: Test, store: ObjectStore): Promise<void> {
  const put = (size: number) => store.put('a/1', chunksOf(bytesOf(size), 65_536), { signal: never })
  await Promise.all([
    t.rejects(put(10), unavailable),
    t.rejects(put(4 * partSize), unavailable),
    t.rejects(store.head('a/1'), unavailable),
    t.rejects(store.get('a/1', { signal: never }), unavailable),
    t.rejects(store.remove('a/1'), unavailable),
    t.rejects(store.check(never), { ...unavailable, message: /S3_ENDPOINT/ }),
  ])
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}
