import { crc32 } from 'node:zlib'
import t from 'tap'
import { trailerHeaders, withTrailer } from '#store/s3/http/aws-chunked.ts'
import { bytesOf, chunksOf, collect, keptChunksOf } from '../../bodies.ts'

const frame = 1024 * 1024

/** The body and the trailer of what was encoded; throws where it is not as S3 describes it. */
function decode(encoded: Buffer): { body: Buffer; trailer: string } {
  const frames: Buffer[] = []
  for (let at = 0; ; ) {
    const endOfHead = encoded.indexOf('\r\n', at)
    const head = String(encoded.subarray(at, endOfHead))
    if (!/^[0-9a-f]+$/.test(head)) throw new Error(`No frame begins at byte ${at}`)
    const start = endOfHead + 2
    const length = Number.parseInt(head, 16)
    if (length === 0) return { body: Buffer.concat(frames), trailer: String(encoded.subarray(start)) }
    const end = start + length
    if (String(encoded.subarray(end, end + 2)) !== '\r\n') throw new Error(`The frame at byte ${at} has no end`)
    frames.push(encoded.subarray(start, end))
    at = end + 2
  }
}

for (const size of [0, 1, 15, 16, 65_535, 65_536, frame - 1, frame, frame + 1, 2 * frame, 3 * frame + 17, 16 * frame]) {
  t.test(`${size} bytes are framed, whatever chunks they come in`, async (t) => {
    const bytes = bytesOf(size)
    const encodings = new Set<string>()
    for (const chunkSizes of [[Math.max(size, 1)], [65_536], [65_521], [frame + 1, 3, frame], [2 * frame, 1]]) {
      const encoded = await collect(withTrailer(keptChunksOf(bytes, ...chunkSizes), size, () => 'AAAAAA=='))
      t.equal(encoded.length, Number(trailerHeaders(size)['content-length']), 'the length was known beforehand')
      const { body, trailer } = decode(encoded)
      t.ok(body.equals(bytes), 'every byte is there')
      t.equal(trailer, 'x-amz-checksum-crc32:AAAAAA==\r\n\r\n')
      encodings.add(String(crc32(encoded)))
    }
    t.equal(encodings.size, 1, 'chunks leave no trace')
  })
}

t.test('Chunks of one byte are framed like any other', async (t) => {
  const bytes = bytesOf(3000)
  const encoded = await collect(withTrailer(keptChunksOf(bytes, 1), 3000, () => 'AAAAAA=='))
  t.equal(encoded.length, Number(trailerHeaders(3000)['content-length']))
  t.ok(decode(encoded).body.equals(bytes))
})

t.test('The checksum is asked for when the last byte has passed, once', async (t) => {
  const passed: number[] = []
  let sent = 0
  for await (const piece of withTrailer(keptChunksOf(bytesOf(2 * frame), 65_536), 2 * frame, () => {
    passed.push(sent)
    return 'AAAAAA=='
  }))
    if (piece.length > 20) sent += piece.length
  t.same(passed, [2 * frame])
})

t.test('No byte is held back, and none is copied', async (t) => {
  const pieces = withTrailer(chunksOf(bytesOf(frame + 10), frame + 10), frame + 10, () => 'AAAAAA==')
  const next = async () => (await pieces.next()).value as Uint8Array
  t.equal(String(await next()), '100000\r\n')
  const first = await next()
  t.equal(first.length, frame)
  t.equal(String(await next()), '\r\n')
  t.equal(String(await next()), 'a\r\n')
  t.equal((await next()).buffer, first.buffer)
})

t.test('The headers say how long the body is, encoded and not', async (t) => {
  t.same(trailerHeaders(frame + 10), {
    'content-encoding': 'aws-chunked',
    'content-length': String(
      '100000\r\n'.length + frame + '\r\na\r\n'.length + 10 + '\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'.length,
    ),
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-decoded-content-length': String(frame + 10),
    'x-amz-trailer': 'x-amz-checksum-crc32',
  })
})
