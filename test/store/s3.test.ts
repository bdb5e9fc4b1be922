import { bytesOf, chunksOf, hangingAfter, keptChunksOf } from './bodies.ts'
import { objectStoreContract } from './contract.ts'
import { openBehindProxy, partSize, s3Test } from './s3-fixture.ts'

const never = new AbortController().signal

s3Test('The S3 store keeps the contract of an object store', async (t) =>
  objectStoreContract(t, await openBehindProxy(t)),
)

s3Test('A body that fits a part is one request', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const onUpload = async () => {
    t.fail('a multipart upload was begun')
  }
  await store.put('one/1', chunksOf(bytesOf(partSize), 65_536), { signal: never, onUpload })
  t.same(
    proxy.seen.map(({ operation }) => operation),
    ['PutObject'],
  )
})

s3Test('The caller knows the upload before its first part is sent', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  const told: string[] = []
  await store.put('told/1', chunksOf(bytesOf(3 * partSize), 65_536), {
    signal: never,
    async onUpload(uploadId) {
      told.push(uploadId)
      t.same(await remains('told/1'), [`upload ${uploadId}`])
      t.notOk(proxy.seen.some(({ operation }) => operation === 'UploadPart'))
    },
  })
  t.equal(told.length, 1)
})

s3Test('The caller knows the upload even when it aborts while the upload is begun', async (t) => {
  const { store, proxy, remains } = await openBehindProxy(t)
  const controller = new AbortController()
  proxy.fault = (exchange) => {
    if (exchange.operation === 'CreateMultipartUpload') controller.abort()
    exchange.pass()
  }
  const told: string[] = []
  const onUpload = async (uploadId: string) => void told.push(uploadId)
  const put = store.put('told/3', chunksOf(bytesOf(3 * partSize), 65_536), { signal: controller.signal, onUpload })
  await t.rejects(put, { name: 'AbortError' })
  t.same(await remains('told/3'), [`upload ${told[0]}`])
})

s3Test('A caller that cannot record the upload fails it', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const failure = new Error('The database is away')
  const put = store.put('told/2', hangingAfter(bytesOf(2 * partSize)), {
    signal: never,
    onUpload: () => Promise.reject(failure),
  })
  t.equal(await put.catch((error) => error), failure)
  t.notOk(proxy.seen.some(({ operation }) => operation === 'UploadPart'))
})

s3Test('Bytes are sent unsigned, checksummed, over connections that are kept', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  await store.put('sent/1', chunksOf(bytesOf(6 * partSize), 65_536), { signal: never })
  await store.put('sent/2', chunksOf(bytesOf(10), 10), { signal: never })
  const sent = proxy.seen.filter(({ operation }) => operation === 'UploadPart' || operation === 'PutObject')
  t.equal(sent.length, 7)
  for (const { headers } of sent) {
    t.match(headers, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-checksum-crc32': /=$/ })
    t.notOk(headers.expect)
  }
  t.ok(proxy.connections <= 3, `${proxy.connections} connections`)
})

s3Test('Without checksums none are sent and none reported', async (t) => {
  const { store, proxy } = await openBehindProxy(t, { checksums: 'off', largestRequest: 2 * partSize })
  for (const total of [10, 2 * partSize, 3 * partSize]) {
    for (const size of [undefined, total]) {
      const key = `off/${total}/${size}`
      const stored = await store.put(key, keptChunksOf(bytesOf(total), 65_536), { signal: never, size })
      t.same(stored, { size: total, checksum: undefined, isConfirmed: false })
      t.same(await store.head(key), { size: total, checksum: undefined })
    }
  }
  const names = proxy.seen.flatMap(({ headers }) => Object.keys(headers))
  t.notOk(names.some((name) => name.includes('checksum')))
})

s3Test('A bucket that cannot be used is said so, with the setting to fix', async (t) => {
  const openWith = async (changes: Parameters<typeof openBehindProxy>[1]) => (await openBehindProxy(t, changes)).store
  const says = (message: RegExp) => ({ code: 'storage_unavailable', message })
  await t.rejects((await openWith({ bucket: 'not-there' })).check(never), says(/S3_BUCKET/))
  const denied = await (await openWith({ secretAccessKey: 'wrong-secret' })).check(never).catch((error) => error)
  t.match(denied, says(/AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/))
  t.notMatch(denied.message, /wrong-secret/)
  await t.rejects((await openWith({ endpoint: 'http://127.0.0.1:9' })).check(never), says(/S3_ENDPOINT/))
})
