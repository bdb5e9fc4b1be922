import type { Test } from 'tap'
import { blockSize } from '#store/s3/buffer-pool.ts'
import { abortingBody, bytesOf, collect, failingAfter, hangingAfter, keptChunksOf } from './bodies.ts'
import type { StoreUnderTest } from './contract.ts'

const never = new AbortController().signal
const frame = 1024 * 1024

/** What every store must show when it is told the size of a body. */
export function keepsAnnouncedSizes(t: Test, subject: StoreUnderTest): void {
  storesAnnounced(t, subject)
  refusesOtherSizes(t, subject)
  failsAnnouncedCleanly(t, subject)
}

function storesAnnounced(t: Test, { store, partSize, remains, confirms }: StoreUnderTest): void {
  for (const [size, ...chunkSizes] of [
    [0, 1],
    [1, 1],
    [10_000, 1],
    [blockSize, 65_536],
    [blockSize + 1, 65_536],
    [blockSize + 1, 1000],
    [frame, frame],
    [frame + 1, 2 * frame],
    [partSize - 1, 65_521],
    [partSize, 65_536],
    [partSize, partSize],
    [partSize + 1, 65_536],
    [partSize + 1, partSize],
    [2 * partSize, 65_521],
    [3 * partSize + 12_345, 3 * partSize + 12_345],
    [3 * partSize + 12_345, 1, 65_521, 2, frame + 3, 65_536, 2 * frame],
  ] as const) {
    t.test(`stores ${size} bytes it was told of, in chunks of ${chunkSizes.join(', ')}`, async (t) => {
      const key = `announced/${size}x${chunkSizes.join('x')}`
      const bytes = bytesOf(size)
      const stored = await store.put(key, keptChunksOf(bytes, ...chunkSizes), { signal: never, size })
      t.same(stored, { ...(await store.head(key)), isConfirmed: confirms }, 'head says what put said')
      t.equal(stored.size, size)
      t.ok((await collect(await store.get(key, { signal: never }))).equals(bytes), 'every byte comes back')
      t.equal((await remains(key)).length, 1, 'the object is all there is')
    })
  }

  t.test('stores a body it was told of with empty chunks', async (t) => {
    const bytes = bytesOf(blockSize + 10)
    async function* body() {
      for await (const chunk of keptChunksOf(bytes, 100_000)) yield* [Buffer.alloc(0), chunk, Buffer.alloc(0)]
    }
    await store.put('announced/empty', body(), { signal: never, size: bytes.length })
    t.ok((await collect(await store.get('announced/empty', { signal: never }))).equals(bytes))
  })

  t.test('stores many bodies at once that it was told of', async (t) => {
    const all = bytesOf(partSize + 20_000)
    const slices = Array.from({ length: 16 }, (_, i) => all.subarray(i * 1000, i * 1000 + partSize - 8 + i))
    const stored = await Promise.all(
      slices.map((bytes, i) =>
        store.put(`crowd/${i}`, keptChunksOf(bytes, 60_000), { signal: never, size: bytes.length }),
      ),
    )
    for (const [i, bytes] of slices.entries()) {
      t.same(stored[i], { ...(await store.head(`crowd/${i}`)), isConfirmed: confirms })
      t.ok((await collect(await store.get(`crowd/${i}`, { signal: never }))).equals(bytes), `body ${i}`)
    }
  })
}

function refusesOtherSizes(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  for (const [size, actual] of [
    [0, 1],
    [1, 0],
    [1, 2],
    [blockSize, blockSize + 1],
    [blockSize + 1, 0],
    [blockSize + 1, blockSize],
    [blockSize + 1, blockSize + 2],
    [partSize, 2 * partSize],
    [partSize + 1, partSize],
    [2 * partSize, 2 * partSize + 1],
    [2 * partSize + 1, 2 * partSize],
  ] as const) {
    for (const chunkSize of [65_536, size || 1]) {
      t.test(`refuses ${actual} bytes instead of ${size}, in chunks of ${chunkSize}`, async (t) => {
        const key = `differing/${size}x${actual}x${chunkSize}`
        const put = store.put(key, keptChunksOf(bytesOf(actual), chunkSize), { signal: never, size })
        await t.rejects(put, /not \d+ as announced/)
        t.equal(await store.head(key), undefined, 'no object')
        await store.remove(key)
        t.same(await remains(key), [], 'nothing after remove')
      })
    }
  }
}

function failsAnnouncedCleanly(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  for (const [size, sent] of [
    [1000, 1000],
    [blockSize + 1, 0],
    [blockSize + 1, blockSize],
    [blockSize + 1, blockSize + 1],
    [partSize, partSize],
    [3 * partSize + 1, 1],
    [3 * partSize + 1, partSize + 1],
    [3 * partSize + 1, 3 * partSize],
    [3 * partSize + 1, 3 * partSize + 1],
  ] as const) {
    t.test(`stores nothing of a body of ${size} bytes that fails after ${sent}`, async (t) => {
      const key = `announced/failing/${size}x${sent}`
      const failure = new Error('The client hung up')
      const put = store.put(key, failingAfter(bytesOf(sent), failure), { signal: never, size })
      t.equal(await put.catch((error) => error), failure, "the body's own error")
      t.equal(await store.head(key), undefined, 'no object')
      await store.remove(key)
      t.same(await remains(key), [], 'nothing after remove')
    })

    t.test(`stores nothing of a body of ${size} bytes that is aborted after ${sent}`, async (t) => {
      const key = `announced/aborted/${size}x${sent}`
      const controller = new AbortController()
      const reason = new Error('The upload was given up')
      const body = hangingAfter(bytesOf(sent), () => controller.abort(reason))
      const put = store.put(key, body, { signal: controller.signal, size })
      t.equal(await put.catch((error) => error), reason, "the signal's reason, though the body hangs")
      t.equal(await store.head(key), undefined, 'no object')
      await store.remove(key)
      t.same(await remains(key), [], 'nothing after remove')
    })
  }

  t.test('does not begin a body it was told of when the signal has aborted', async (t) => {
    const reason = new Error('The upload was given up')
    let isRead = false
    async function* body() {
      isRead = true
      yield bytesOf(blockSize + 1)
    }
    const put = store.put('announced/before', body(), { signal: AbortSignal.abort(reason), size: blockSize + 1 })
    t.equal(await put.catch((error) => error), reason)
    t.notOk(isRead)
    await store.remove('announced/before')
    t.same(await remains('announced/before'), [])
  })

  t.test('lets go of a body it was told of and does not finish', async (t) => {
    const controller = new AbortController()
    const { body, closed } = abortingBody(controller)
    const put = store.put('announced/body', body, { signal: controller.signal, size: partSize })
    await t.rejects(put, { name: 'AbortError' })
    await closed
    await store.remove('announced/body')
    t.same(await remains('announced/body'), [])
  })
}
