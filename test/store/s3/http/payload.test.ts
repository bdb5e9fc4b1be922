import { crc32 } from 'node:zlib'
import t from 'tap'
import { StreamedBytes } from '#store/s3/http/payload.ts'
import { bytesOf, chunksOf, collect, failingAfter, keptChunksOf } from '../../bodies.ts'

const bytes = bytesOf(300_000)

function streamed(source: AsyncIterable<Uint8Array>, size: number, withChecksum = true) {
  const failures: unknown[] = []
  const payload = new StreamedBytes(source, size, { withChecksum, onFailure: (error) => failures.push(error) })
  return { payload, failures }
}

t.test('It can be opened again until its first byte is read, and then no more', async (t) => {
  const { payload, failures } = streamed(keptChunksOf(bytes, 65_536), bytes.length, false)
  payload.open()
  payload.open()
  const body = payload.open()
  t.notOk(payload.isBegun)
  const read = collect(body)
  await new Promise(setImmediate)
  t.ok(payload.isBegun)
  t.throws(() => payload.open(), /on their way/)
  t.ok((await read).equals(bytes))
  t.throws(() => payload.open(), /on their way/)
  t.same(failures, [])
})

t.test('Its checksum is that of the bytes, and goes with them', async (t) => {
  const { payload } = streamed(keptChunksOf(bytes, 65_521), bytes.length)
  const sent = await collect(payload.open())
  t.equal(sent.length, Number(payload.headers['content-length']))
  t.equal(payload.checksum.readUInt32BE(), crc32(bytes))
  const trailer = `x-amz-checksum-crc32:${payload.checksum.toString('base64')}\r\n\r\n`
  t.equal(String(sent.subarray(-trailer.length)), trailer)
})

t.test('Without a checksum it is the bytes as they are', async (t) => {
  const { payload } = streamed(keptChunksOf(bytes, 65_536), bytes.length, false)
  t.same(payload.headers, { 'content-length': '300000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })
  t.ok((await collect(payload.open())).equals(bytes))
})

for (const withChecksum of [true, false]) {
  const how = withChecksum ? 'with' : 'without'
  for (const size of [bytes.length - 1, bytes.length + 1, bytes.length - 65_536, 2 * bytes.length]) {
    t.test(`A source of other than ${size} bytes fails, ${how} a checksum`, async (t) => {
      const { payload, failures } = streamed(keptChunksOf(bytes, 65_536), size, withChecksum)
      const { sent, error } = await sentUntilFailure(payload)
      t.match(error, /as announced/)
      t.same(failures, [error])
      t.ok(sent < Number(payload.headers['content-length']), 'it never looks whole')
    })
  }

  t.test(`A source that fails after its last byte never looks whole, ${how} a checksum`, async (t) => {
    const failure = new Error('The client hung up')
    const { payload, failures } = streamed(failingAfter(bytes, failure), bytes.length, withChecksum)
    const { sent, error } = await sentUntilFailure(payload)
    t.equal(error, failure)
    t.same(failures, [failure])
    t.ok(sent < Number(payload.headers['content-length']))
  })

  t.test(`A failure that nobody listens for harms nobody, ${how} a checksum`, async (t) => {
    const failure = new Error('The client hung up')
    const { payload, failures } = streamed(failingAfter(bytes, failure), bytes.length + 1, withChecksum)
    await t.rejects(collect(payload.open()), failure)
    t.same(failures, [failure])
  })
}

t.test('The source is read one chunk ahead at most', async (t) => {
  let read = 0
  async function* source() {
    for await (const chunk of chunksOf(bytes, 10_000)) {
      read += 1
      yield chunk
    }
  }
  const body = (streamed(source(), bytes.length).payload.open() as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  await body.next()
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
  t.equal(read, 1)
  await body.return?.()
})

async function sentUntilFailure(payload: StreamedBytes): Promise<{ sent: number; error: unknown }> {
  let sent = 0
  try {
    for await (const chunk of payload.open()) sent += chunk.length
  } catch (error) {
    return { sent, error }
  }
  return { sent, error: undefined }
}
