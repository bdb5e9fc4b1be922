import t from 'tap'
import { Slices } from '#store/s3/streaming-upload.ts'
import { bytesOf, chunksOf, collect, failingAfter, keptChunksOf } from '../bodies.ts'

const bytes = bytesOf(100_000)

for (const chunkSize of [1, 7, 1000, 1001, 100_000]) {
  t.test(`Slices of a body in chunks of ${chunkSize} have the lengths asked for`, async (t) => {
    const slices = new Slices(chunksOf(bytes, chunkSize))
    let at = 0
    for (const size of [1, 999, 1000, 0, 50_000, 47_999, 1]) {
      t.notOk(await slices.isAtEnd())
      const slice = await collected(slices.next(size))
      t.ok(slice.equals(bytes.subarray(at, at + size)), `${size} bytes from ${at}`)
      at += size
    }
    t.ok(await slices.isAtEnd())
    t.equal((await collect(slices.next(10))).length, 0, 'there is no more')
  })
}

t.test('The last slice is short when the body ends', async (t) => {
  const slices = new Slices(chunksOf(bytes, 3000))
  await collect(slices.next(99_000))
  t.equal((await collect(slices.next(5000))).length, 1000)
  t.ok(await slices.isAtEnd())
})

t.test('Nothing is read before it is asked for, and no chunk beyond the slice', async (t) => {
  let chunks = 0
  async function* body() {
    for await (const chunk of keptChunksOf(bytes, 1000)) {
      chunks += 1
      yield chunk
    }
  }
  const slices = new Slices(body())
  t.equal(chunks, 0)
  await collect(slices.next(2500))
  t.equal(chunks, 3)
  await collect(slices.next(500))
  t.equal(chunks, 3)
  t.notOk(await slices.isAtEnd())
  t.equal(chunks, 4)
  t.ok((await collect(slices.next(10))).equals(bytes.subarray(3000, 3010)), 'the question took nothing')
  t.equal(chunks, 4)
})

t.test('A chunk is passed on, not copied', async (t) => {
  const slices = new Slices(keptChunksOf(bytes, 1000))
  for (const size of [400, 600]) for await (const piece of slices.next(size)) t.equal(piece.buffer, bytes.buffer)
})

t.test('Empty chunks and an empty body are no slice', async (t) => {
  async function* body() {
    for (const text of ['', 'a', '', 'b', '']) yield Buffer.from(text)
  }
  const slices = new Slices(body())
  t.equal(String(await collect(slices.next(1))), 'a')
  t.equal(String(await collect(slices.next(1))), 'b')
  t.ok(await slices.isAtEnd())
  t.ok(await new Slices(keptChunksOf(Buffer.alloc(0), 1)).isAtEnd())
})

t.test('A body that fails, fails the slice that asks for more', async (t) => {
  const failure = new Error('The client hung up')
  const slices = new Slices(failingAfter(bytes.subarray(0, 1000), failure))
  t.equal((await collect(slices.next(1000))).length, 1000)
  t.equal(await slices.isAtEnd().catch((error) => error), failure)
})

/** The pieces are copied one by one: the body overwrites them. */
async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const piece of pieces) copies.push(Buffer.from(piece))
  return Buffer.concat(copies)
}
