import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { S3StoreOptions } from '#store/s3/s3-store.ts'
import { until } from '../../kit/until.ts'
import { bytesOf, keptChunksOf } from '../bodies.ts'
import { type Exchange, type FaultProxy, openFaultProxy } from '../fault-proxy.ts'
import { openAt } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }

/** Milliseconds; long enough for a busy machine, short enough to wait for. */
const timeouts = { connect: 3000, silence: 800, completion: 2400 }

/** A store on a server that does with a PutObject what `put` says, and has no object. */
async function openStore(t: Test, put: (exchange: Exchange) => unknown, changes: Partial<S3StoreOptions> = {}) {
  const proxy = await openFaultProxy(t, 'http://unused')
  proxy.fault = (exchange) => (exchange.operation === 'PutObject' ? put(exchange) : exchange.answer(404))
  return { store: openAt(t, proxy.endpoint, { timeouts, ...changes }), proxy }
}

async function take({ ask, request, answer }: Exchange): Promise<void> {
  ask()
  await buffer(request)
  answer(200)
}

function closed(proxy: FaultProxy): Promise<boolean> {
  // A connection whose bytes lie unread does not tell that its other end is gone.
  for (const { request } of proxy.seen) request.resume()
  return until('the connection of the put is closed', () => proxy.openFor('PutObject') === 0)
}

t.test('A client that pauses, wherever, is not taken for a silent store', async (t) => {
  const { store } = await openStore(t, take)
  const bytes = bytesOf(1_000_000)
  async function* body(pausesAt: number) {
    yield* keptChunksOf(bytes.subarray(0, pausesAt), 65_536)
    await delay(3 * timeouts.silence)
    yield* keptChunksOf(bytes.subarray(pausesAt), 65_536)
  }
  const put = (pausesAt: number) => store.put(`a/${pausesAt}`, body(pausesAt), { signal: never, size: bytes.length })
  for (const { size } of await Promise.all([0, 500_000, 999_999, 1_000_000].map(put))) t.equal(size, bytes.length)
})

t.test('A client that is slow all the time is not taken for a silent store', async (t) => {
  const { store } = await openStore(t, take)
  const bytes = bytesOf(1_000_000)
  async function* body() {
    for await (const chunk of keptChunksOf(bytes, 100_000)) {
      await delay(timeouts.silence / 4)
      yield chunk
    }
  }
  t.equal((await store.put('a/1', body(), { signal: never, size: bytes.length })).size, bytes.length)
})

t.test('A slow store that keeps taking bytes is not taken for a silent one', async (t) => {
  const size = 64 * 1024 ** 2
  const { store } = await openStore(t, async ({ ask, request, answer }) => {
    ask()
    let read = 0
    for await (const chunk of request) {
      read += chunk.length
      if (read < 4 * 1024 ** 2) continue
      read = 0
      await delay(timeouts.silence / 6)
    }
    answer(200)
  })
  const started = performance.now()
  t.equal((await store.put('a/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })).size, size)
  t.ok(performance.now() - started > timeouts.silence, 'it took longer than the store may be silent')
})

for (const checksums of ['crc32', 'off'] as const) {
  t.test(`A store that takes no more bytes fails the put, checksums ${checksums}`, async (t) => {
    const { store, proxy } = await openStore(t, ({ ask }) => ask(), { checksums })
    const size = 64 * 1024 ** 2
    await failsForSilence(t, store.put('a/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size }))
    await closed(proxy)
  })

  t.test(`A store that has every byte and never answers fails the put, checksums ${checksums}`, async (t) => {
    let received = 0
    const { store, proxy } = await openStore(
      t,
      async ({ ask, request }) => {
        ask()
        received = (await buffer(request)).length
      },
      { checksums },
    )
    const size = 1_000_000
    await failsForSilence(t, store.put('a/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size }))
    t.ok(received >= size)
    await closed(proxy)
  })
}

t.test('A store that falls silent in its answer fails the put', async (t) => {
  const size = 1_000_000
  const put = async (status: number) => {
    const { store, proxy } = await openStore(t, async ({ ask, request, response }) => {
      ask()
      await buffer(request)
      response.writeHead(status, { 'content-length': 100 }).write('<Error>')
    })
    await t.rejects(store.put('a/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size }), unavailable)
    await closed(proxy)
  }
  await Promise.all([put(200), put(403)])
})

t.test('A store that does not ask for the bytes gets them after a while, and may not be silent then', async (t) => {
  const size = 300_000
  const put = async (respond: (exchange: Exchange) => unknown) => {
    const { store } = await openStore(t, respond)
    return await store.put('a/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
  }
  const taking = put(async ({ request, answer }) => {
    await buffer(request)
    answer(200)
  })
  const silent = put(() => {})
  await t.rejects(silent, { ...unavailable, cause: /has not gone on for 800 ms/ })
  t.equal((await taking).size, size)
})

/** The put fails because of `silence`, and neither before that nor much later. */
async function failsForSilence(t: Test, put: Promise<unknown>): Promise<void> {
  const started = performance.now()
  await t.rejects(put, { ...unavailable, cause: /has not gone on for 800 ms/ })
  const lasted = performance.now() - started
  t.ok(lasted > timeouts.silence && lasted < 8 * timeouts.silence, `${Math.round(lasted)} ms`)
}
