import { once } from 'node:events'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { openBucket } from '#store/s3/bucket.ts'
import { explainPutFailure } from '#store/s3/errors.ts'
import { bytesOf, chunksOf, collect, keptChunksOf } from '../../bodies.ts'
import { type Exchange, errorBody, openFaultProxy } from '../../fault-proxy.ts'
import { openAt, openBehindProxy, partSize, s3Test } from '../../s3-fixture.ts'

const never = new AbortController().signal
const small = () => chunksOf(bytesOf(1000), 1000)
const size = 2 * partSize + 5

/** Sets variables of the environment until the test ends. */
function setEnvironment(t: Test, values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name]
    process.env[name] = value
    t.teardown(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
  }
}

s3Test('Keys and ids with every reserved character name what they say', async (t) => {
  const { options, client, bucket } = await openBehindProxy(t)
  const opened = openBucket(options)
  t.teardown(() => opened.client.destroy())
  const { dataPlane } = opened
  // MinIO refuses the backslash and empty steps of a path.
  const keys = [':?#[]@!$&', "'()*+,;=%", ' "<>^`{|}~-_', 'ü/日/\u{1F600}', '%2F%252F', 'a+b c']
  for (const key of keys) {
    await dataPlane.send({ method: 'PUT', key, purpose: 'upload', signal: never, headers: { 'content-length': '0' } })
    await dataPlane.send({ method: 'HEAD', key, purpose: 'question', signal: never })
    const response = await dataPlane.open({ method: 'GET', key, purpose: 'read', signal: never })
    t.equal((await collect(response)).length, 0)
  }
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  t.same(Contents.map(({ Key }) => Key).toSorted(), keys.toSorted())
  for (const key of keys) await dataPlane.send({ method: 'DELETE', key, purpose: 'background', signal: never })
  t.equal((await client.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount, 0)
})

s3Test('A kept connection that the store closes as a request begins costs nothing but a new one', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  await store.put('kept/1', small(), { signal: never })
  const used = new Set(proxy.seen.map(({ request }) => request.socket))
  let cuts = 0
  proxy.fault = (exchange) => {
    const { socket } = exchange.request
    if (!used.has(socket)) {
      used.add(socket)
      return exchange.pass()
    }
    cuts += 1
    exchange.cut()
  }
  await t.test('of a short body', async (t) => {
    const stored = await store.put('kept/2', small(), { signal: never })
    t.same(stored, { ...(await store.head('kept/2')), isConfirmed: true })
  })
  await t.test('of a stream', async (t) => {
    await store.put('kept/3', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
    await store.put('kept/4', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
    t.ok((await collect(await store.get('kept/4', { signal: never }))).equals(bytesOf(size)))
  })
  await t.test('of reads and questions', async (t) => {
    for (let time = 0; time < 3; time += 1) {
      t.equal((await collect(await store.get('kept/2', { signal: never }))).length, 1000)
      t.match(await store.head('kept/2'), { size: 1000 })
    }
  })
  t.ok(cuts > 4, `${cuts} connections were cut`)
})

s3Test('A connection whose payload was refused unread is not used again', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  for (const code of ['AccessDenied', 'InvalidRequest']) {
    proxy.seen.length = 0
    proxy.fault = (exchange) => {
      if (exchange.operation !== 'PutObject' || exchange.nth > 1) return exchange.pass()
      exchange.answer(403, errorBody(code))
    }
    const refused = store.put(`refused/${code}`, chunksOf(bytesOf(200_000), 65_536), { signal: never })
    await t.rejects(refused, { code: 'storage_unavailable' })
    const started = performance.now()
    await store.put(`taken/${code}`, small(), { signal: never })
    t.ok(performance.now() - started < 3_000)
    const [first, second] = proxy.seen.filter(({ operation }) => operation === 'PutObject')
    t.not(first?.request.socket, second?.request.socket)
  }
})

s3Test('A clock that is wrong is corrected by that of the store, once', async (t) => {
  const { options, proxy } = await openBehindProxy(t)
  const { now } = Date
  t.teardown(() => {
    Date.now = now
  })
  for (const hours of [-2, 2]) {
    Date.now = () => now() + hours * 3_600_000
    const store = openAt(t, options.endpoint as string, options)
    proxy.seen.length = 0
    t.match(await store.put(`clock/${hours + 2}`, small(), { signal: never }), { size: 1000, isConfirmed: true })
    t.equal(proxy.seen.length, 2, 'refused by MinIO, and sent again')
    await store.head(`clock/${hours + 2}`)
    t.equal(proxy.seen.length, 3)
  }
  await t.test('also when the refusal has no body, and in a stream', async (t) => {
    const heading = openAt(t, options.endpoint as string, options)
    t.match(await heading.head('clock/0'), { size: 1000 })
    const store = openAt(t, options.endpoint as string, options)
    t.match(await store.put('clock/1', keptChunksOf(bytesOf(size), 65_536), { signal: never, size }), { size })
  })
})

t.test('A request that the store takes for too old again and again is sent twice', async (t) => {
  const proxy = await openFaultProxy(t, 'http://unused')
  proxy.fault = ({ request, answer }) =>
    request.resume().once('end', () => answer(403, errorBody('RequestTimeTooSkewed')))
  const error = await openAt(t, proxy.endpoint)
    .get('a/1', { signal: never })
    .then(
      () => undefined,
      (error) => error,
    )
  t.match(error, { code: 'storage_unavailable' })
  t.equal(proxy.seen.length, 2)
})

s3Test('Credentials that expire in the middle of a part are renewed', async (t) => {
  const { options, proxy } = await openBehindProxy(t)
  const { accessKeyId, secretAccessKey, ...rest } = options
  const keys = { AWS_ACCESS_KEY_ID: accessKeyId as string, AWS_SECRET_ACCESS_KEY: secretAccessKey as string }
  setEnvironment(t, { ...keys, AWS_SECRET_ACCESS_KEY: 'expired' })
  const store = openAt(t, options.endpoint as string, { ...rest, accessKeyId: undefined, secretAccessKey: undefined })
  const expire = async ({ request, answer, ask }: Exchange) => {
    ask()
    await once(request.resume(), 'data')
    Object.assign(process.env, keys)
    answer(400, errorBody('ExpiredToken'))
  }
  proxy.fault = (exchange) =>
    exchange.operation === 'PutObject' && exchange.nth === 1 ? expire(exchange) : exchange.pass()
  t.match(await store.put('renewed/1', small(), { signal: never }), { size: 1000, isConfirmed: true })

  proxy.seen.length = 0
  proxy.fault = (exchange) =>
    exchange.operation === 'UploadPart' && exchange.nth === 1 ? expire(exchange) : exchange.pass()
  t.match(await store.put('renewed/2', chunksOf(bytesOf(size), 65_536), { signal: never }), { size, isConfirmed: true })
  t.ok((await collect(await store.get('renewed/2', { signal: never }))).equals(bytesOf(size)))

  await t.test('but bytes that are not kept are lost', async (t) => {
    proxy.seen.length = 0
    proxy.fault = (exchange) => (exchange.operation === 'PutObject' ? expire(exchange) : exchange.pass())
    const put = store.put('renewed/3', keptChunksOf(bytesOf(size), 65_536), { signal: never, size })
    await t.rejects(put, { code: 'storage_unavailable', cause: { name: 'ExpiredToken' } })
    t.equal(await store.head('renewed/3'), undefined)
  })
})

t.test('A bucket in another region is told as such, with the region', async (t) => {
  const proxy = await openFaultProxy(t, 'http://unused')
  const body =
    '<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-north-1</Region></Error>'
  const answers: [string, (exchange: Exchange) => unknown][] = [
    ['a redirect', ({ response }) => response.writeHead(301, { 'x-amz-bucket-region': 'eu-north-1' }).end()],
    ['a refusal of the signature', ({ answer }) => answer(400, body)],
  ]
  for (const [what, refuse] of answers) {
    await t.test(`by ${what}`, async (t) => {
      proxy.seen.length = 0
      proxy.fault = (exchange) => exchange.request.resume().once('end', () => refuse(exchange))
      const store = openAt(t, proxy.endpoint)
      const error = await store.put('a/1', small(), { signal: never }).catch((error) => error)
      t.match(error, { code: 'storage_unavailable', cause: { message: /S3_REGION=eu-north-1/ } })
      t.notMatch(error.message, /moment|eu-north-1/)
      if (what === 'a redirect') await t.rejects(store.check(never), { message: /S3_REGION=eu-north-1/ })
      t.equal(proxy.seen.filter(({ operation }) => operation === 'PutObject').length, 1, 'it is not tried again')
    })
  }
})

t.test('A response that is no error document of S3 is told by its status', async (t) => {
  const proxy = await openFaultProxy(t, 'http://unused')
  for (const [status, body] of [
    [403, ''],
    [403, '<html><p>Forbidden'],
    [418, '{"message": "no XML"}'],
    [403, `<Error><Code>${'x'.repeat(200_000)}</Code></Error>`],
  ] as const) {
    proxy.fault = ({ operation, request, answer }) =>
      request.resume().once('end', () => (operation === 'PutObject' ? answer(status, body) : answer(404)))
    const error = await openAt(t, proxy.endpoint)
      .put('a/1', small(), { signal: never })
      .catch((error) => error)
    t.match(error, { code: 'storage_unavailable', cause: { message: new RegExp(`answers ${status} UnknownError`) } })
  }
  t.ok(explainPutFailure(new Error('any')).message.includes('moment'))
})

t.test(
  'A request that is aborted while it waits for a connection, for a response or to try again ends at once',
  async (t) => {
    const proxy = await openFaultProxy(t, 'http://unused')
    const reason = new Error('The client hung up')
    const store = openAt(t, proxy.endpoint, { maxSockets: 1 })
    const abortSoon = () => {
      const controller = new AbortController()
      return { signal: controller.signal, abort: () => controller.abort(reason) }
    }
    const pending = abortSoon()
    const arrived = new Promise<void>((resolve) => {
      proxy.fault = () => resolve()
    })
    const waiting = store.get('a/1', pending)
    await arrived
    const queued = abortSoon()
    const behind = store.get('a/2', queued)
    queued.abort()
    t.equal(await behind.catch((error) => error), reason)
    pending.abort()
    t.equal(await waiting.catch((error) => error), reason)

    const retried = abortSoon()
    proxy.fault = ({ answer }) => {
      answer(503, errorBody('SlowDown'))
      setImmediate(retried.abort)
    }
    t.equal(await store.get('a/3', retried).catch((error) => error), reason)
    t.equal(proxy.seen.filter(({ request }) => request.url === '/any/a/3').length, 1)
  },
)
