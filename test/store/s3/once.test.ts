import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { bytesOf, chunksOf, keptChunksOf } from '../bodies.ts'
import { type Exchange, errorBody, type Operation } from '../fault-proxy.ts'
import { openAt, openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }
const small = () => chunksOf(bytesOf(1000), 1000)
const size = 2 * partSize + 5
const large = () => chunksOf(bytesOf(size), 65_536)

/** Loses the answer to an operation, the first time. */
function loseAnswerTo(operation: Operation): (exchange: Exchange) => unknown {
  return async (exchange) => {
    if (exchange.operation !== operation || exchange.nth > 1) return exchange.pass()
    await exchange.deliver()
    exchange.cut()
  }
}

s3Test('An upload that may have been opened is not opened a second time', async (t) => {
  const answers: Record<string, (exchange: Exchange) => unknown> = {
    'is lost': (exchange) => exchange.cut(),
    'says 500': (exchange) => exchange.answer(500, errorBody('InternalError')),
    'says 504': (exchange) => exchange.answer(504),
  }
  for (const [what, answer] of Object.entries(answers))
    await t.test(`its answer ${what}`, async (t) => {
      const { store, proxy, remains } = await openBehindProxy(t)
      proxy.fault = async (exchange) => {
        if (exchange.operation !== 'CreateMultipartUpload') return exchange.pass()
        await exchange.deliver()
        await answer(exchange)
      }
      await t.rejects(store.put('once/1', large(), { signal: never }), unavailable)
      t.equal(proxy.seen.filter(({ operation }) => operation === 'CreateMultipartUpload').length, 1)
      t.equal((await remains('once/1')).length, 1, 'the store has opened it')
      await store.remove('once/1')
      t.same(await remains('once/1'), [], 'and it is found, though nobody knows its id')
    })
})

t.test('An upload is opened again after a connection that was refused', async (t) => {
  const store = openAt(t, 'http://127.0.0.1:9')
  const started = performance.now()
  await t.rejects(store.put('once/1', large(), { signal: never }), unavailable)
  t.ok(performance.now() - started < 5000)
})

s3Test('An object whose answer was lost is not written a second time', async (t) => {
  const cases: [operation: Operation, body: () => AsyncIterable<Uint8Array>, length: number, announced: boolean][] = [
    ['PutObject', small, 1000, false],
    ['PutObject', () => keptChunksOf(bytesOf(size), 65_536), size, true],
    ['CompleteMultipartUpload', large, size, false],
  ]
  for (const [operation, body, length, announced] of cases)
    await t.test(`${operation}, ${announced ? 'announced' : 'collected'}, of ${length} bytes`, async (t) => {
      const { store, proxy, versions } = await openVersioned(t)
      proxy.fault = loseAnswerTo(operation)
      const stored = await store.put('once/1', body(), { signal: never, ...(announced && { size: length }) })
      t.match(stored, { size: length, isConfirmed: true })
      t.equal(await versions('once/1'), 1)
    })
})

s3Test('A key that is taken stays as it is', async (t) => {
  const { store } = await openBehindProxy(t)
  const { checksum } = await store.put('once/1', small(), { signal: never })
  const other = () => chunksOf(Buffer.alloc(1000, 7), 1000)
  await t.rejects(store.put('once/1', other(), { signal: never }), unavailable)
  t.match(await store.head('once/1'), { size: 1000, checksum })
})

s3Test('A store that refuses conditions is written to without them', async (t) => {
  const { store, proxy } = await openBehindProxy(t, { conditionalWrites: false })
  proxy.fault = (exchange) =>
    exchange.request.headers['if-none-match'] === undefined
      ? exchange.pass()
      : exchange.answer(501, errorBody('NotImplemented'))
  t.match(await store.put('once/1', small(), { signal: never }), { size: 1000 })
  t.match(await store.put('once/2', large(), { signal: never }), { size })
})

/** A store on a bucket that keeps every version of an object. */
async function openVersioned(t: Test) {
  const opened = await openBehindProxy(t)
  const { client, bucket: Bucket } = opened
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
  const versions = async (Prefix: string) =>
    (await client.send(new ListObjectVersionsCommand({ Bucket, Prefix }))).Versions?.length
  return { ...opened, versions }
}
