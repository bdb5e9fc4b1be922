import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { openBucket, type S3Bucket, sharedMemory } from '#store/s3/bucket.ts'
import { BufferPool, blockSize } from '#store/s3/buffer-pool.ts'
import { upload } from '#store/s3/s3-store.ts'
import { until } from '../../kit/until.ts'
import { bytesOf, chunksOf } from '../bodies.ts'
import { type Exchange, openFaultProxy } from '../fault-proxy.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const mebibyte = 1024 ** 2
const largePart = 16 * mebibyte

/** `size` bytes without a buffer of that size; `onChunk` before each chunk. */
async function* bodyOf(size: number, onChunk: () => void = () => {}): AsyncGenerator<Uint8Array> {
  const chunk = bytesOf(65_536)
  for (let left = size; left > 0; left -= chunk.length) {
    onChunk()
    yield chunk.subarray(0, left)
  }
}

interface Held {
  key: string
  bytes: number
  /** Lets the store answer. */
  answer(): void
}

/** A store that takes every part and holds its answer back until it is told to answer. */
async function openHolding(t: Test, shared = sharedMemory) {
  const proxy = await openFaultProxy(t, 'http://unused')
  const held: Held[] = []
  const received: Held[] = []
  let isOpen = false
  proxy.fault = async ({ operation, request, response, answer }: Exchange) => {
    if (operation === 'CreateMultipartUpload') return answer(200, '<A><UploadId>1</UploadId></A>')
    if (operation === 'CompleteMultipartUpload') return answer(200, '<A><ETag>"1"</ETag></A>')
    const { length } = await buffer(request)
    const part: Held = {
      key: /^\/any\/([^?]*)/.exec(request.url ?? '')?.[1] ?? '',
      bytes: length,
      answer: () => void response.writeHead(200, { etag: '"1"' }).end(),
    }
    received.push(part)
    if (isOpen) part.answer()
    else held.push(part)
  }
  const opened = openBucket({
    ...{ bucket: 'any', region: 'us-east-1', endpoint: proxy.endpoint, accessKeyId: 'any', secretAccessKey: 'any' },
    ...{ forcePathStyle: true, checksums: 'crc32', maxObjectSize: 1024 ** 3 },
  })
  const bucket: S3Bucket = { ...opened, buffers: new BufferPool(shared) }
  t.teardown(() => bucket.client.destroy())
  return {
    ...{ bucket, held, received },
    /** Answers what is held back, and everything that comes. */
    open(): void {
      isOpen = true
      for (const part of held.splice(0)) part.answer()
    },
  }
}

for (const [uploads, shared, size] of [
  [1, 64 * mebibyte, 21 * mebibyte],
  [1, 3 * mebibyte, 21 * mebibyte],
  [4, 10 * mebibyte, 21 * mebibyte],
  [12, 7 * mebibyte, 16 * mebibyte],
  [25, 0, 11 * mebibyte],
] as const) {
  t.test(`${uploads} uploads hold a part each and share ${shared} bytes more`, async (t) => {
    const { bucket, open } = await openHolding(t, shared)
    const { buffers } = bucket
    let mostLent = 0
    const look = () => {
      mostLent = Math.max(mostLent, buffers.acquired)
    }
    const puts = Array.from({ length: uploads }, (_, index) =>
      // Small parts, however much there is to shared.
      upload(bucket, `bound/${index}`, bodyOf(size, look), { signal: never, atMost: 60 * mebibyte }),
    )
    const bound = uploads * partSize + shared
    const wanted = uploads * Math.min(size, 3 * partSize)
    await until('all the memory there is is out', () => buffers.acquired * blockSize === Math.min(bound, wanted))
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate)
    t.equal(buffers.acquired * blockSize, Math.min(bound, wanted))
    open()
    for (const stored of await Promise.all(puts)) t.equal(stored.size, size)
    t.ok(mostLent * blockSize <= bound, `${mostLent} blocks`)
    t.equal(buffers.acquired, 0)
    t.ok(buffers.free * blockSize <= Math.min(bound, 64 * mebibyte), 'and none was made beyond them')
  })
}

t.test('Large parts hold no more either', async (t) => {
  const { bucket, open } = await openHolding(t)
  const { buffers } = bucket
  const uploads = 8
  let mostLent = 0
  const look = () => {
    mostLent = Math.max(mostLent, buffers.acquired)
  }
  const puts = Array.from({ length: uploads }, (_, index) =>
    upload(bucket, `large/${index}`, bodyOf(33 * mebibyte, look), { signal: never }),
  )
  const bound = uploads * partSize + sharedMemory
  await until('all the memory there is is out', () => buffers.acquired * blockSize === bound)
  open()
  await Promise.all(puts)
  t.ok(mostLent * blockSize <= bound, `${mostLent} blocks`)
  t.equal(buffers.acquired, 0)
})

t.test('Nobody waits for one who holds all that is shared', async (t) => {
  const { bucket, held } = await openHolding(t, 2 * partSize)
  const { buffers } = bucket
  const greedy = upload(bucket, 'greedy', bodyOf(4 * partSize), { signal: never, atMost: 4 * partSize })
  await until('it has all that is shared', () => buffers.acquired * blockSize === 3 * partSize)
  const others = Promise.all(
    [1, 2, 3].map((index) => upload(bucket, `other/${index}`, bodyOf(4 * partSize), { signal: never, atMost: 1 })),
  )
  let isOver = false
  others.finally(() => {
    isOver = true
  })
  await until('the others are done', () => {
    for (const part of held.filter(({ key }) => key !== 'greedy')) {
      held.splice(held.indexOf(part), 1)
      part.answer()
    }
    return isOver
  })
  for (const { size } of await others) t.equal(size, 4 * partSize)
  t.equal(buffers.acquired * blockSize, 3 * partSize, 'the greedy one still has it')
  let isServed = false
  greedy.finally(() => {
    isServed = true
  })
  await until('the greedy one is done', () => {
    for (const part of held.splice(0)) part.answer()
    return isServed
  })
  t.equal(buffers.acquired, 0)
})

t.test('A store that answers one part at a time starves nobody', async (t) => {
  const { bucket, held } = await openHolding(t, mebibyte)
  const puts = Array.from({ length: 8 }, (_, index) =>
    upload(bucket, `turn/${index}`, bodyOf(partSize + 3 * mebibyte), { signal: never, atMost: 1 }),
  )
  let done = 0
  for (const put of puts) put.then(() => done++)
  let answered = 0
  await until('all are done', () => {
    // The newest first: the oldest waits longest.
    const part = held.pop()
    if (part) answered += 1
    part?.answer()
    return done === puts.length
  })
  t.equal(answered, 16)
  t.equal(bucket.buffers.acquired, 0)
})

t.test('A client that leaves while its upload waits for memory gives back what it has', async (t) => {
  const { bucket, held, open } = await openHolding(t, 0)
  const controller = new AbortController()
  const put = upload(bucket, 'leaving/1', bodyOf(4 * partSize), { signal: controller.signal, atMost: 1 })
  await until('a part is on its way and there is no memory for another', () => held.length === 1)
  t.equal(bucket.buffers.acquired * blockSize, partSize)
  const reason = new Error('The client left')
  controller.abort(reason)
  t.equal(await put.catch((error) => error), reason)
  t.equal(bucket.buffers.acquired, 0)
  open()
  t.equal((await upload(bucket, 'leaving/2', bodyOf(4 * partSize), { signal: never })).size, 4 * partSize)
})

t.test('A body that cannot be large is not worth large parts', async (t) => {
  const { bucket, held, open } = await openHolding(t)
  const put = upload(bucket, 'hint/1', bodyOf(2 * largePart), { signal: never, atMost: 64 * mebibyte - 1 })
  t.equal((await until('a part has come', () => held[0]))?.bytes, partSize)
  open()
  await put
})

for (const [words, atMost] of [
  ['that may be large', 64 * mebibyte],
  ['nothing is known of', undefined],
] as const) {
  t.test(`The parts of a body ${words} are large until others have used up the shared memory`, async (t) => {
    const { bucket, held, received, open } = await openHolding(t)
    const goOn = Promise.withResolvers<void>()
    async function* body() {
      yield* bodyOf(largePart + 1)
      await goOn.promise
      yield* bodyOf(largePart)
    }
    const puts: Promise<unknown>[] = []
    const firstPart = async (key: string) => {
      puts.push(upload(bucket, key, body(), { signal: never, atMost }))
      return (await until('a part has come', () => held.find((part) => part.key === key)))?.bytes
    }
    const room = Math.floor(sharedMemory / (largePart - partSize + blockSize))
    for (let index = 1; index <= room; index += 1) t.equal(await firstPart(`large/${index}`), largePart)
    for (let index = 1; index <= 3; index += 1) t.equal(await firstPart(`small/${index}`), partSize)
    goOn.resolve()
    open()
    await Promise.all(puts)
    const sizesOf = (name: string) => received.filter(({ key }) => key === name).map(({ bytes }) => bytes)
    t.same(new Set(sizesOf('large/1')), new Set([largePart, 1]), 'all parts but the last have the same size')
    t.same(new Set(sizesOf('small/1')), new Set([partSize, (2 * largePart + 1) % partSize]))
    t.equal(bucket.buffers.acquired, 0)
  })
}

s3Test('Bodies that share little memory are not mixed', async (t) => {
  const { options, store } = await openBehindProxy(t)
  const bucket: S3Bucket = { ...openBucket(options), buffers: new BufferPool(3 * blockSize) }
  t.teardown(() => bucket.client.destroy())
  const all = bytesOf(3 * partSize)
  const slices = Array.from({ length: 8 }, (_, i) => all.subarray(i * 1000, i * 1000 + 2 * partSize + i))
  const stored = await Promise.all(
    slices.map((bytes, i) => upload(bucket, `crowd/${i}`, chunksOf(bytes, 65_521), { signal: never })),
  )
  for (const [i, one] of stored.entries()) t.same(one, { ...(await store.head(`crowd/${i}`)), isConfirmed: true })
  t.equal(bucket.buffers.acquired, 0)
})
