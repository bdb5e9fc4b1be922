import { once } from 'node:events'
import type { Test } from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { until } from '../kit/until.ts'
import { abortingBody, bytesOf, chunksOf, collect, failingAfter, hangingAfter } from './bodies.ts'
import { listsEverything } from './contract-list.ts'
import { keepsAnnouncedSizes } from './contract-sizes.ts'
import type { StorePlace } from './places.ts'

export interface StoreUnderTest {
  store: ObjectStore
  /** Where another instance of the same store is opened. */
  place: StorePlace
  /** Bytes the store takes in one piece, so that sizes around it are worth trying. */
  partSize: number
  /** Whatever lies under a key, whole or not, by its name in the store. */
  remains(key: string): Promise<string[]>
  /** How many objects are being read at present; `undefined` where that cannot be known. */
  openReads: (() => number | Promise<number>) | undefined
  /** Whether a put is answered with the checksum of what was stored. */
  confirms: boolean
}

const never = new AbortController().signal

/** What every store must show: the sentences of `src/store/object-store.ts`, one by one. For sessions see `contract-multipart.ts`. */
export function objectStoreContract(t: Test, subject: StoreUnderTest): void {
  t.test('says what it is', async (t) => t.match(subject.store.description, /\w/))
  t.test('can be used', (t) => t.resolves(subject.store.check(never)))
  storesBytes(t, subject)
  servesBytes(t, subject)
  failsCleanly(t, subject)
  keepsAnnouncedSizes(t, subject)
  removesEverything(t, subject)
  listsEverything(t, subject)
}

function storesBytes(t: Test, { store, partSize, remains, confirms }: StoreUnderTest): void {
  for (const size of [0, 1, partSize - 1, partSize, partSize + 1, 2 * partSize, 2 * partSize + 12_345]) {
    t.test(`stores ${size} bytes`, async (t) => {
      const key = `sizes/${size}`
      const bytes = bytesOf(size)
      const stored = await store.put(key, chunksOf(bytes, 65_536), { signal: never })
      t.equal(stored.size, size)
      t.same(stored, { ...(await store.head(key)), isConfirmed: confirms }, 'head says what put said')
      const read = await collect(await store.get(key, { signal: never }))
      t.ok(read.equals(bytes), 'every byte comes back')
      t.equal((await remains(key)).length, 1, 'the object is all there is')
    })
  }

  for (const [shape, size, chunkSize] of [
    ['chunks of one byte', 10_000, 1],
    ['chunks larger than a part', 3 * partSize + 7, partSize + 1_000_000],
    ['one chunk of several parts', 3 * partSize, 3 * partSize],
    ['chunks that divide nothing', partSize + 100_000, 65_521],
  ] as const) {
    t.test(`stores ${shape}`, async (t) => {
      const key = `shapes/${size}x${chunkSize}`
      const bytes = bytesOf(size)
      const stored = await store.put(key, chunksOf(bytes, chunkSize), { signal: never })
      t.same(stored, { ...(await store.head(key)), isConfirmed: confirms })
      t.ok((await collect(await store.get(key, { signal: never }))).equals(bytes))
    })
  }

  t.test('stores a body with empty chunks', async (t) => {
    async function* body() {
      for (const text of ['', 'a', '', '', 'b', '']) yield Buffer.from(text)
    }
    await store.put('empty/chunks', body(), { signal: never })
    t.equal(String(await collect(await store.get('empty/chunks', { signal: never }))), 'ab')
  })

  t.test('stores many bodies at once without mixing them', async (t) => {
    const all = bytesOf(2 * partSize)
    const slices = Array.from({ length: 8 }, (_, i) => all.subarray(i * 1000, i * 1000 + partSize + i))
    await Promise.all(slices.map((bytes, i) => store.put(`many/${i}`, chunksOf(bytes, 60_000), { signal: never })))
    for (const [i, bytes] of slices.entries())
      t.ok((await collect(await store.get(`many/${i}`, { signal: never }))).equals(bytes), `body ${i}`)
  })
}

function servesBytes(t: Test, { store, partSize, openReads }: StoreUnderTest): void {
  const isClosed = async () => (await openReads?.()) === 0
  const skip = openReads === undefined && 'open reads cannot be counted here'

  t.test('serves ranges', async (t) => {
    const bytes = bytesOf(2 * partSize)
    const end = bytes.length - 1
    await store.put('ranges/1', chunksOf(bytes, 65_536), { signal: never })
    const ranges = [
      { first: 0, last: 0 },
      { first: end, last: end },
      { first: partSize - 10, last: partSize + 10 },
      { first: 1, last: end - 1 },
      { first: 0, last: end },
    ]
    for (const range of ranges) {
      const read = await collect(await store.get('ranges/1', { range, signal: never }))
      t.ok(read.equals(bytes.subarray(range.first, range.last + 1)), `${range.first}-${range.last}`)
    }
  })

  t.test('refuses a range that the object does not have', { skip }, async (t) => {
    await store.put('ranges/2', chunksOf(bytesOf(100), 100), { signal: never })
    for (const range of [
      { first: 0, last: 100 },
      { first: 100, last: 200 },
    ])
      await t.rejects(store.get('ranges/2', { range, signal: never }), { code: 'storage_unavailable' })
    await until('every read is closed', isClosed)
  })

  t.test('knows nothing of keys that were never written', async (t) => {
    await store.put('keys/ab', chunksOf(bytesOf(1), 1), { signal: never })
    for (const key of ['keys/a', 'keys/abc', 'ab', 'nothing/here']) {
      t.equal(await store.head(key), undefined)
      await t.rejects(store.get(key, { signal: never }), { code: 'not_found' })
    }
  })

  t.test('closes a read whose stream is destroyed', { skip }, async (t) => {
    await store.put('reads/1', chunksOf(bytesOf(3 * partSize), 65_536), { signal: never })
    const stream = await store.get('reads/1', { signal: never })
    stream.on('error', () => {})
    await once(stream, 'readable')
    t.equal(await openReads?.(), 1)
    stream.destroy()
    await until('the read is closed', isClosed)
  })

  t.test('closes a read whose signal aborts', { skip }, async (t) => {
    await store.put('reads/2', chunksOf(bytesOf(3 * partSize), 65_536), { signal: never })
    const controller = new AbortController()
    const stream = await store.get('reads/2', { signal: controller.signal })
    const read = collect(stream)
    controller.abort(new Error('The client left'))
    await t.rejects(read, 'a read that was broken off does not look complete')
    await until('the read is closed', isClosed)
  })

  t.test('does not let a read look complete that was aborted before its last byte was taken', async (t) => {
    await store.put('reads/4', chunksOf(bytesOf(1000), 1000), { signal: never })
    const controller = new AbortController()
    const stream = await store.get('reads/4', { signal: controller.signal })
    await once(stream, 'readable')
    controller.abort()
    await t.rejects(collect(stream))
  })

  t.test('does not begin a read whose signal has aborted', { skip }, async (t) => {
    await store.put('reads/3', chunksOf(bytesOf(1), 1), { signal: never })
    const gone = new Error('The client left')
    await t.rejects(store.get('reads/3', { signal: AbortSignal.abort(gone) }), gone)
    t.equal(await openReads?.(), 0)
  })
}

function failsCleanly(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  for (const size of [0, 1, partSize, partSize + 1, 3 * partSize + 1]) {
    t.test(`stores nothing of a body that fails after ${size} bytes`, async (t) => {
      const key = `failing/${size}`
      const failure = new Error('The client hung up')
      let uploadId: string | undefined
      const put = store.put(key, failingAfter(bytesOf(size), failure), {
        signal: never,
        onUpload: async (id) => {
          uploadId = id
        },
      })
      t.equal(await put.catch((error) => error), failure, "the body's own error")
      t.equal(await store.head(key), undefined, 'no object')
      await store.remove(key, { uploadId })
      t.same(await remains(key), [], 'nothing after remove')
    })

    t.test(`stores nothing of a body that is aborted after ${size} bytes`, async (t) => {
      const key = `aborted/${size}`
      const controller = new AbortController()
      const reason = new Error('The upload was given up')
      const body = hangingAfter(bytesOf(size), () => controller.abort(reason))
      const put = store.put(key, body, { signal: controller.signal })
      t.equal(await put.catch((error) => error), reason, "the signal's reason, though the body hangs")
      t.equal(await store.head(key), undefined, 'no object')
      await store.remove(key)
      t.same(await remains(key), [], 'nothing after remove, without the upload id')
    })
  }

  t.test('does not begin when the signal has aborted', async (t) => {
    const reason = new Error('The upload was given up')
    const put = store.put('aborted/before', chunksOf(bytesOf(10), 1), { signal: AbortSignal.abort(reason) })
    t.equal(await put.catch((error) => error), reason)
    await store.remove('aborted/before')
    t.same(await remains('aborted/before'), [])
  })

  t.test('lets go of a body that it does not finish', async (t) => {
    const controller = new AbortController()
    const { body, closed } = abortingBody(controller)
    await t.rejects(store.put('aborted/body', body, { signal: controller.signal }), { name: 'AbortError' })
    await closed
    await store.remove('aborted/body')
  })
}

function removesEverything(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  t.test('removes an object, and does it again', async (t) => {
    await store.put('gone/1', chunksOf(bytesOf(partSize + 1), 65_536), { signal: never })
    await store.remove('gone/1')
    t.same(await remains('gone/1'), [])
    t.equal(await store.head('gone/1'), undefined)
    await t.resolves(store.remove('gone/1'))
    t.same(await remains('gone/1'), [])
  })

  t.test('removes what never existed', (t) => t.resolves(store.remove('gone/never', { uploadId: 'never' })))

  t.test('removes exactly its key', async (t) => {
    for (const key of ['near/a', 'near/ab', 'near/abc'])
      await store.put(key, chunksOf(bytesOf(5), 5), { signal: never })
    await store.remove('near/ab')
    t.equal((await remains('near/a')).length, 1)
    t.equal((await remains('near/abc')).length, 1)
    t.same(await remains('near/ab'), [])
  })

  t.test('removes an upload that is still under way, which then fails', async (t) => {
    const waiting = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    async function* body() {
      yield* chunksOf(bytesOf(2 * partSize + 1), 65_536)
      waiting.resolve()
      await goOn.promise
      yield* chunksOf(bytesOf(partSize), 65_536)
    }
    let uploadId: string | undefined
    const put = store.put('underway/1', body(), {
      signal: never,
      onUpload: async (id) => {
        uploadId = id
      },
    })
    put.catch(() => {})
    await waiting.promise
    await until('something is in the store', async () => (await remains('underway/1')).length > 0)
    await store.remove('underway/1', { uploadId })
    goOn.resolve()
    await t.rejects(put, { code: 'storage_unavailable' })
    await store.remove('underway/1', { uploadId })
    t.same(await remains('underway/1'), [])
  })
}
