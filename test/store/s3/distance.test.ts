import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls'
import t, { type Test } from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { createTestBucket, skipWithoutS3 } from '../../kit/bucket.ts'
import { selfSigned, skipWithoutOpenSsl } from '../../kit/self-signed.ts'
import { openTcpLine, type TcpLine } from '../../kit/tcp-line.ts'
import { bytesOf, chunksOf, collect, keptChunksOf } from '../bodies.ts'
import { openAt } from '../s3-fixture.ts'

const never = new AbortController().signal
const kibibyte = 1024
const mebibyte = 1024 * kibibyte

/** Milliseconds from a byte sent to the first byte that answers it. */
const roundTrip = 150

const skip = skipWithoutS3 || skipWithoutOpenSsl

interface Distant {
  store: ObjectStore
  line: TcpLine
  /** Round trips, and connections opened, that some work took. */
  count(work: () => Promise<unknown>): Promise<{ roundTrips: number; connections: number }>
}

/** A store that is far away, reached over TLS, with a connection that is warm. */
async function openDistant(t: Test): Promise<Distant> {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey } = await createTestBucket(t)
  const line = await openTcpLine(t, await openTls(t, endpoint))
  const access = { bucket, region, accessKeyId, secretAccessKey, partSize: undefined }
  const store = openAt(t, line.url.replace(/\/$/, ''), access)
  await store.put('warm/1', chunksOf(bytesOf(1), 1), { signal: never })
  await store.head('warm/1')
  await collect(await store.get('warm/1', { signal: never }))
  line.delay(roundTrip / 2)
  return {
    store,
    line,
    async count(work) {
      const [started, taken] = [performance.now(), line.taken]
      await work()
      return { roundTrips: (performance.now() - started) / roundTrip, connections: line.taken - taken }
    },
  }
}

/** Ends TLS in front of a server. @returns the URL */
async function openTls(t: Test, target: string): Promise<string> {
  const { key, cert } = selfSigned()
  setDefaultCACertificates([...getCACertificates(), cert])
  const { hostname, port } = new URL(target)
  const server = createServer({ key, cert }, (near) => {
    const far = connect(Number(port), hostname)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('A store that is far away is asked once for a small object, over TLS too', { skip }, async (t) => {
  const { store, count } = await openDistant(t)
  const size = 64 * kibibyte
  const body = () => keptChunksOf(bytesOf(size), 16_384)
  for (const [what, work] of [
    ['an upload of unknown size', () => store.put('small/1', body(), { signal: never })],
    ['an upload of known size', () => store.put('small/2', body(), { signal: never, size })],
    [
      'an upload of 1 MiB',
      () => store.put('small/3', keptChunksOf(bytesOf(mebibyte), 65_536), { signal: never, size: mebibyte }),
    ],
    ['a question', () => store.head('small/1')],
    ['a download', async () => collect(await store.get('small/1', { signal: never }))],
  ] as const) {
    const { roundTrips, connections } = await count(work)
    t.ok(roundTrips >= 1 && roundTrips < 2, `${what}: ${roundTrips.toFixed(2)} round trips`)
    t.equal(connections, 0, `${what} needs no new connection`)
  }
})

t.test(
  'A store that is far away delays a large object by a few round trips, whatever its size',
  { skip },
  async (t) => {
    const { store, line, count } = await openDistant(t)
    /** The round trips by which distance delays an upload. Bytes take their time also without a distance. */
    const delayed = async (key: string, bytes: Buffer, known: object) => {
      const put = (number: number) =>
        count(() => store.put(`${key}/${number}`, keptChunksOf(bytes, 65_536), { signal: never, ...known }))
      line.delay(0)
      const near = await put(1)
      line.delay(roundTrip / 2)
      const far = await put(2)
      t.ok((await collect(await store.get(`${key}/2`, { signal: never }))).equals(bytes))
      return { roundTrips: far.roundTrips - near.roundTrips, connections: far.connections }
    }
    for (const size of [8 * mebibyte, 64 * mebibyte]) {
      const bytes = bytesOf(size)
      const known = await delayed(`known/${size}`, bytes, { size })
      t.ok(known.roundTrips < 4, `of ${size} bytes, known: ${known.roundTrips.toFixed(2)} round trips`)
      t.equal(known.connections, 0)
      // The multipart upload is created over a connection of its own: TCP, TLS, request. Two parts are sent at a time.
      const unknown = await delayed(`unknown/${size}`, bytes, { atMost: size })
      t.ok(unknown.roundTrips < 10, `of ${size} bytes, unknown: ${unknown.roundTrips.toFixed(2)} round trips`)
      t.ok(unknown.connections <= 3, `${unknown.connections} new connections`)
    }
  },
)
