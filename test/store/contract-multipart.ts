import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import type { MultipartSession, MultipartStore, StoredPart } from '#store/object-store.ts'
import { durableOffset } from '#store/part-rules.ts'
import { blockSize } from '#store/s3/buffer-pool.ts'
import { abortingBody, bytesOf, collect, failingAfter, hangingAfter, keptChunksOf } from './bodies.ts'
import type { StoreUnderTest } from './contract.ts'
import { openPlace } from './places.ts'
import type { PartWork } from './put-part.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }
const notFound = { code: 'not_found' }
const ruleBroken = { code: 'internal' }

/** What every store must show of multipart sessions: the sentences of `src/store/multipart-store.ts`, one by one. */
export function keepsSessions(t: Test, subject: StoreUnderTest): void {
  storesParts(t, subject)
  goesOnElsewhere(t, subject)
  replacesParts(t, subject)
  refusesBrokenRules(t, subject)
  failsPartsCleanly(t, subject)
  completesOnce(t, subject)
  abortsSessions(t, subject)
  findsSessions(t, subject)
}

/** A value as it comes back from a database. */
function kept<T>(value: T): T {
  return JSON.parse(JSON.stringify(value))
}

function putPart(
  multipart: MultipartStore,
  session: MultipartSession,
  number: number,
  bytes: Buffer,
  signal = never,
): Promise<StoredPart> {
  return multipart.putPart(session, number, keptChunksOf(bytes, 65_521), { size: bytes.length, signal })
}

function storesParts(t: Test, { store, partSize, remains, confirms }: StoreUnderTest): void {
  const { multipart } = store
  const read = async (key: string) => collect(await store.get(key, { signal: never }))

  t.test('makes an object of parts that are sent in any order', async (t) => {
    const key = 'session/order'
    const bytes = bytesOf(2 * partSize + 12_345)
    const session = await multipart.create(key, { partSize })
    t.match(session, { key, partSize, uploadId: /./ })
    const parts: StoredPart[] = []
    for (const [number, durable] of [
      [3, 0],
      [1, partSize],
      [2, bytes.length],
    ] as const) {
      const part = bytes.subarray((number - 1) * partSize, number * partSize)
      parts.push(await putPart(multipart, session, number, part))
      t.match(parts.at(-1), { number, size: part.length, etag: /./ })
      t.equal(durableOffset(parts), durable)
      t.equal(await store.head(key), undefined, 'no object yet')
    }
    const stored = await multipart.complete(session, parts)
    t.same(stored, { ...(await store.head(key)), isConfirmed: confirms }, 'head says what complete said')
    t.equal(stored.size, bytes.length)
    t.ok((await read(key)).equals(bytes), 'every byte comes back')
    t.equal((await remains(key)).length, 1, 'the object is all there is')
  })

  for (const size of [0, 1, blockSize, blockSize + 1, partSize]) {
    t.test(`makes an object of a single part of ${size} bytes`, async (t) => {
      const key = `session/single/${size}`
      const session = await multipart.create(key, { partSize })
      const part = await putPart(multipart, session, 1, bytesOf(size))
      t.equal((await multipart.complete(session, [part])).size, size)
      t.ok((await read(key)).equals(bytesOf(size)))
      t.equal((await remains(key)).length, 1)
    })
  }

  t.test('takes parts of many sessions at the same time without mixing them', async (t) => {
    const all = bytesOf(2 * partSize + 10)
    const keys = ['a', 'b', 'c'].map((name) => `session/many/${name}`)
    await Promise.all(
      keys.map(async (key, index) => {
        const bytes = all.subarray(index, index + partSize + 5)
        const session = await multipart.create(key, { partSize })
        const parts = await Promise.all([
          putPart(multipart, session, 1, bytes.subarray(0, partSize)),
          putPart(multipart, session, 2, bytes.subarray(partSize)),
        ])
        await multipart.complete(session, parts)
        t.ok((await read(key)).equals(bytes), key)
      }),
    )
  })
}

function goesOnElsewhere(t: Test, { store, partSize, place, remains }: StoreUnderTest): void {
  t.test('goes on with a session in another store instance', async (t) => {
    const key = 'session/instance'
    const bytes = bytesOf(partSize + 7)
    const other = await openPlace(place)
    t.teardown(() => other.close())
    const session = kept(await store.multipart.create(key, { partSize }))
    const first = kept(await putPart(other.multipart, session, 1, bytes.subarray(0, partSize)))
    const second = kept(await putPart(store.multipart, session, 2, bytes.subarray(partSize)))
    t.equal((await other.multipart.complete(session, [second, first])).size, bytes.length)
    t.ok((await collect(await store.get(key, { signal: never }))).equals(bytes))
    t.equal((await remains(key)).length, 1)
  })

  t.test('goes on with a session in another process', async (t) => {
    const key = 'session/process'
    const bytes = bytesOf(partSize + 70_000)
    const session = await store.multipart.create(key, { partSize })
    const first = await putPart(store.multipart, session, 1, bytes.subarray(0, partSize))
    const work: PartWork = { place, session, number: 2, start: partSize, size: 70_000 }
    const program = fileURLToPath(new URL('put-part.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(work)])
    await store.multipart.complete(session, [first, JSON.parse(stdout)])
    t.ok((await collect(await store.get(key, { signal: never }))).equals(bytes))
  })
}

function replacesParts(t: Test, { store, partSize }: StoreUnderTest): void {
  const { multipart } = store
  const read = async (key: string) => collect(await store.get(key, { signal: never }))

  t.test('replaces a part that is sent again', async (t) => {
    const session = await multipart.create('session/replaced', { partSize })
    await putPart(multipart, session, 1, Buffer.alloc(partSize, 7))
    const last = await putPart(multipart, session, 2, bytesOf(5))
    const first = await putPart(multipart, session, 1, bytesOf(partSize))
    await multipart.complete(session, [first, last])
    t.ok((await read('session/replaced')).equals(Buffer.concat([bytesOf(partSize), bytesOf(5)])))
  })

  t.test('keeps a part when another try to send it fails', async (t) => {
    const session = await multipart.create('session/kept', { partSize })
    const part = await putPart(multipart, session, 1, bytesOf(partSize))
    const failure = new Error('The client hung up')
    const body = failingAfter(Buffer.alloc(partSize - 1, 7), failure)
    const again = multipart.putPart(session, 1, body, { size: partSize, signal: never })
    t.equal(await again.catch((error) => error), failure)
    await multipart.complete(session, [part])
    t.ok((await read('session/kept')).equals(bytesOf(partSize)))
  })

  t.test('never counts late bytes of a writer that was given up', async (t) => {
    const session = await multipart.create('session/late', { partSize })
    const listed = await putPart(multipart, session, 1, bytesOf(partSize))
    await putPart(multipart, session, 1, Buffer.alloc(partSize, 7))
    const error = await multipart.complete(session, [listed]).then(
      () => undefined,
      (error) => error,
    )
    if (error === undefined) t.ok((await read('session/late')).equals(bytesOf(partSize)), 'exactly the listed bytes')
    else t.match([error, await store.head('session/late')], [unavailable, undefined], 'refused')
    await store.remove('session/late')
  })
}

function refusesBrokenRules(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  const { multipart } = store

  t.test('refuses sessions with parts that are too small', async (t) => {
    t.ok(partSize >= multipart.minimumPartSize)
    for (const size of [0, -1, multipart.minimumPartSize - 1, multipart.minimumPartSize + 0.5, Number.NaN])
      await t.rejects(multipart.create('session/rules/0', { partSize: size }), ruleBroken, `${size} bytes`)
    t.same(await remains('session/rules/0'), [])
  })

  t.test('refuses parts that no object has, without reading them', async (t) => {
    const session = await multipart.create('session/rules/1', { partSize })
    let isRead = false
    async function* body() {
      isRead = true
      yield bytesOf(1)
    }
    for (const [number, size] of [
      [0, 1],
      [-1, 1],
      [1.5, 1],
      [10_001, 1],
      [1, -1],
      [1, 0.5],
      [1, partSize + 1],
      [2, 0],
    ] as const) {
      const put = multipart.putPart(session, number, body(), { size, signal: never })
      await t.rejects(put, ruleBroken, `part ${number} of ${size} bytes`)
    }
    t.notOk(isRead)
    await multipart.abort(session)
    t.same(await remains('session/rules/1'), [])
  })

  t.test('takes the part with the highest number', async (t) => {
    const session = await multipart.create('session/rules/2', { partSize })
    t.match(await putPart(multipart, session, 10_000, bytesOf(1)), { number: 10_000, size: 1 })
    await multipart.abort(session)
  })

  t.test('refuses a list of parts that is no object, and takes the right one afterwards', async (t) => {
    const key = 'session/rules/3'
    const session = await multipart.create(key, { partSize })
    const first = await putPart(multipart, session, 1, bytesOf(partSize))
    const second = await putPart(multipart, session, 2, bytesOf(partSize))
    const third = await putPart(multipart, session, 3, bytesOf(10))
    const short = await putPart(multipart, session, 4, bytesOf(11))
    for (const [what, parts] of [
      ['no part', []],
      ['a missing part', [first, third]],
      ['a missing first part', [second, third]],
      ['a part listed twice', [first, first, second]],
      ['a short part in the middle', [first, second, third, short]],
    ] as const)
      await t.rejects(multipart.complete(session, parts), ruleBroken, what)
    for (const [what, parts] of [
      ['a part with another name', [first, { ...second, etag: '0'.repeat(16) }, third]],
      ['a part that was never sent', [first, second, { ...first, number: 3 }]],
    ] as const)
      await t.rejects(multipart.complete(session, parts), unavailable, what)
    t.equal(await store.head(key), undefined, 'no object')
    t.equal((await multipart.complete(session, [first, second, third])).size, 2 * partSize + 10)
    t.equal((await remains(key)).length, 1, 'nothing of the part that is not in the object')
  })
}

function failsPartsCleanly(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  const { multipart } = store

  for (const [size, actual] of [
    [0, 1],
    [1, 0],
    [1000, 999],
    [1000, 1001],
    [blockSize, blockSize + 1],
    [blockSize + 1, blockSize],
    [blockSize + 1, blockSize + 2],
    [partSize, partSize - 1],
    [partSize, partSize + 1],
    [partSize, 2 * partSize],
  ] as const) {
    t.test(`refuses a part of ${actual} bytes instead of ${size}`, async (t) => {
      const key = `session/sizes/${size}x${actual}`
      const session = await multipart.create(key, { partSize })
      const put = multipart.putPart(session, 1, keptChunksOf(bytesOf(actual), 65_536), { size, signal: never })
      await t.rejects(put, { ...ruleBroken, message: /not \d+ as announced/ })
      const part = await putPart(multipart, session, 1, bytesOf(size))
      t.equal((await multipart.complete(session, [part])).size, size, 'the right one is taken afterwards')
      t.ok((await collect(await store.get(key, { signal: never }))).equals(bytesOf(size)))
    })
  }

  for (const [size, sent] of [
    [1000, 0],
    [1000, 1000],
    [partSize, 1],
    [partSize, partSize],
  ] as const) {
    t.test(`ends a part of ${size} bytes whose body hangs after ${sent}`, async (t) => {
      const key = `session/hanging/${size}x${sent}`
      const session = await multipart.create(key, { partSize })
      const controller = new AbortController()
      const reason = new Error('The upload was given up')
      const body = hangingAfter(bytesOf(sent), () => controller.abort(reason))
      const put = multipart.putPart(session, 1, body, { size, signal: controller.signal })
      t.equal(await put.catch((error) => error), reason)
      const part = await putPart(multipart, session, 1, bytesOf(size))
      await multipart.complete(session, [part])
      t.ok((await collect(await store.get(key, { signal: never }))).equals(bytesOf(size)), 'it goes on afterwards')
    })

    t.test(`passes on the error of a body of ${size} bytes that fails after ${sent}`, async (t) => {
      const key = `session/failing/${size}x${sent}`
      const session = await multipart.create(key, { partSize })
      const failure = new Error('The client hung up')
      const put = multipart.putPart(session, 1, failingAfter(bytesOf(sent), failure), { size, signal: never })
      t.equal(await put.catch((error) => error), failure)
      await multipart.abort(session)
      t.same(await remains(key), [])
    })
  }

  t.test('does not read a part whose signal has aborted', async (t) => {
    const session = await multipart.create('session/before', { partSize })
    const reason = new Error('The upload was given up')
    let isRead = false
    async function* body() {
      isRead = true
      yield bytesOf(1000)
    }
    for (const size of [1000, blockSize + 1]) {
      const put = multipart.putPart(session, 1, body(), { size, signal: AbortSignal.abort(reason) })
      t.equal(await put.catch((error) => error), reason)
    }
    t.notOk(isRead)
    await multipart.abort(session)
  })

  t.test('lets go of the body of a part that it does not finish', async (t) => {
    const session = await multipart.create('session/let/go', { partSize })
    const controller = new AbortController()
    const { body, closed } = abortingBody(controller)
    const put = multipart.putPart(session, 1, body, { size: partSize, signal: controller.signal })
    await t.rejects(put, { name: 'AbortError' })
    await closed
    await multipart.abort(session)
  })
}

function completesOnce(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  const { multipart } = store
  const open = async (key: string) => {
    const session = await multipart.create(key, { partSize })
    const parts = [
      await putPart(multipart, session, 1, bytesOf(partSize)),
      await putPart(multipart, session, 2, bytesOf(10)),
    ]
    return { session, parts }
  }

  t.test('completes again what is complete, and takes no more parts', async (t) => {
    const { session, parts } = await open('session/twice')
    const { isConfirmed: _, ...first } = await multipart.complete(session, parts)
    const { isConfirmed: __, ...second } = await multipart.complete(session, parts)
    t.same(second, first)
    await t.rejects(putPart(multipart, session, 1, bytesOf(1)), notFound)
    await multipart.abort(session)
    t.same(await store.head('session/twice'), first, 'an abort leaves the object')
    t.equal((await remains('session/twice')).length, 1)
  })

  t.test('completes a session for each of two callers at the same time', async (t) => {
    const { session, parts } = await open('session/both')
    const both = await Promise.all([multipart.complete(session, parts), multipart.complete(session, parts)])
    t.same(
      both.map(({ size }) => size),
      [partSize + 10, partSize + 10],
    )
    const read = await collect(await store.get('session/both', { signal: never }))
    t.ok(read.equals(Buffer.concat([bytesOf(partSize), bytesOf(10)])))
  })

  t.test('does not take another object of the same size for what is complete', async (t) => {
    const { session, parts } = await open('session/other')
    await multipart.abort(session)
    const other = Buffer.alloc(partSize + 10, 7)
    await store.put('session/other', keptChunksOf(other, 65_536), { signal: never })
    const error = await multipart.complete(session, parts).catch((error) => error)
    // Without checksums a store can compare sizes only.
    const hasChecksums = parts.every(({ checksum }) => checksum !== undefined)
    // A store may look at the key before it looks for the session.
    if (hasChecksums) t.match(error, { name: 'StowageError', code: /^(not_found|storage_unavailable)$/ })
    else t.match(error, { size: partSize + 10 })
    t.ok((await collect(await store.get('session/other', { signal: never }))).equals(other))
  })

  t.test('refuses a key that is taken', async (t) => {
    const { session, parts } = await open('session/taken')
    await store.put('session/taken', keptChunksOf(bytesOf(20), 20), { signal: never })
    const before = await store.head('session/taken')
    await t.rejects(multipart.complete(session, parts))
    t.same(await store.head('session/taken'), before)
    await store.remove('session/taken')
    t.same(await remains('session/taken'), [])
  })

  t.test('does not begin a completion whose signal has aborted', async (t) => {
    const { session, parts } = await open('session/given/up')
    const reason = new Error('The server stops')
    const complete = multipart.complete(session, parts, { signal: AbortSignal.abort(reason) })
    t.equal(await complete.catch((error) => error), reason)
    t.equal(await store.head('session/given/up'), undefined)
    t.equal((await multipart.complete(session, parts)).size, partSize + 10)
  })
}

function abortsSessions(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  const { multipart } = store

  t.test('leaves nothing of a session that is aborted', async (t) => {
    const session = await multipart.create('session/aborted', { partSize })
    const part = await putPart(multipart, session, 1, bytesOf(partSize))
    t.equal((await remains('session/aborted')).length, 1)
    await multipart.abort(session)
    t.same(await remains('session/aborted'), [])
    await t.resolves(multipart.abort(session), 'again')
    await t.rejects(putPart(multipart, session, 2, bytesOf(1)), notFound)
    await t.rejects(putPart(multipart, session, 1, bytesOf(blockSize + 1)), notFound)
    await t.rejects(multipart.complete(session, [part]), notFound)
    t.equal(await store.head('session/aborted'), undefined)
    t.same(await remains('session/aborted'), [])
  })

  t.test('knows nothing of sessions that never were', async (t) => {
    const session = { key: 'session/never', uploadId: '0'.repeat(32), partSize }
    const part = { number: 1, size: 1, checksum: 'AAAAAA==', etag: '0'.repeat(16) }
    await t.rejects(putPart(multipart, session, 1, bytesOf(1)), notFound)
    await t.rejects(multipart.complete(session, [part]), notFound)
    await t.resolves(multipart.abort(session))
  })

  for (const size of [blockSize, partSize]) {
    t.test(`leaves nothing of a part of ${size} bytes that comes while its session is aborted`, async (t) => {
      const session = await multipart.create('session/during', { partSize })
      const waiting = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      async function* body() {
        yield bytesOf(size).subarray(0, size - 1)
        waiting.resolve()
        await goOn.promise
        yield bytesOf(size).subarray(size - 1)
      }
      const put = multipart.putPart(session, 1, body(), { size, signal: never })
      await waiting.promise
      await multipart.abort(session)
      goOn.resolve()
      await t.rejects(put, notFound)
      await store.remove('session/during')
      t.same(await remains('session/during'), [])
    })
  }
}

function findsSessions(t: Test, { store, partSize, remains }: StoreUnderTest): void {
  const { multipart } = store
  const listed = async (key?: string) => {
    const entries = []
    for await (const page of store.list('uploads', { key, signal: never })) entries.push(...page)
    return entries.filter((entry) => entry.key === 'session/found')
  }

  t.test('lists a session as an upload and removes it with its key', async (t) => {
    const before = Date.now()
    const session = await multipart.create('session/found', { partSize })
    await multipart.create('session/found/x', { partSize })
    await putPart(multipart, session, 1, bytesOf(1000))
    const [entry, ...others] = await listed('session/found')
    t.match(entry, { key: session.key, uploadId: session.uploadId })
    t.ok(Number(entry?.storedAt) > before - 2000 && Number(entry?.storedAt) < Date.now() + 2000)
    t.same(others, [])
    t.match(await listed(), [{ uploadId: session.uploadId }], 'among all others, too')
    for await (const page of store.list('objects', { key: 'session/found', signal: never })) t.same(page, [])
    await store.remove('session/found', { uploadId: session.uploadId })
    t.same(await remains('session/found'), [])
    t.same(await listed('session/found'), [])
    t.equal((await remains('session/found/x')).length, 1, 'the longer key stays')
    await store.remove('session/found/x')
    t.same(await remains('session/found/x'), [])
  })

  t.test('removes several sessions of a key without their ids, and its object', async (t) => {
    for (let count = 0; count < 3; count += 1) {
      const session = await multipart.create('session/several', { partSize })
      await putPart(multipart, session, 1, bytesOf(1000))
    }
    await store.put('session/several', keptChunksOf(bytesOf(10), 10), { signal: never })
    t.equal((await remains('session/several')).length, 4)
    await store.remove('session/several')
    t.same(await remains('session/several'), [])
  })
}
