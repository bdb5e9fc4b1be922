import { DeleteObjectCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { bytesOf, chunksOf, hangingAfter } from '../bodies.ts'
import { type Exchange, errorBody } from '../fault-proxy.ts'
import { openBehindProxy, partSize, s3Test } from '../s3-fixture.ts'

const never = new AbortController().signal
const unavailable = { code: 'storage_unavailable' }

s3Test('Unfinished uploads of exactly the key are aborted, named or not', async (t) => {
  const { store, remains, beginUpload } = await openBehindProxy(t)
  const uploadId = await beginUpload('uploads/1')
  await beginUpload('uploads/1')
  await beginUpload('uploads/11')
  await store.remove('uploads/1', { uploadId })
  t.same(await remains('uploads/1'), [])
  t.equal((await remains('uploads/11')).length, 1)
  await store.remove('uploads/11')
  t.same(await remains('uploads/11'), [])
})

s3Test('A failed upload and its parts are gone after remove', async (t) => {
  const { store, remains } = await openBehindProxy(t)
  const controller = new AbortController()
  const body = hangingAfter(bytesOf(3 * partSize), () => controller.abort())
  await t.rejects(store.put('uploads/2', body, { signal: controller.signal }))
  t.match(await remains('uploads/2'), [/^upload /], 'the port leaves it to remove')
  await store.remove('uploads/2')
  t.same(await remains('uploads/2'), [])
})

for (const Status of ['Enabled', 'Suspended'] as const) {
  s3Test(`No version and no marker is left where versioning is ${Status}`, async (t) => {
    const { store, remains, client, bucket } = await openBehindProxy(t)
    const setVersioning = (Status: 'Enabled' | 'Suspended') =>
      client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status } }))
    await setVersioning('Enabled')
    for (const Key of ['versions/1', 'versions/1', 'versions/11'])
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'text' }))
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'versions/1' }))
    await store.put('versions/1', chunksOf(bytesOf(10), 10), { signal: never })
    await setVersioning(Status)
    t.equal((await remains('versions/1')).length, 4)

    await store.remove('versions/1')
    t.same(await remains('versions/1'), [])
    await store.remove('versions/1')
    t.same(await remains('versions/1'), [], 'a second removal leaves no marker either')
    t.equal((await remains('versions/11')).length, 1)
  })
}

s3Test('A store that cannot list uploads can still remove', async (t) => {
  const { store, proxy, remains, beginUpload } = await openBehindProxy(t)
  proxy.fault = unlisted(501, 'NotImplemented')
  await store.put('unlisted/1', chunksOf(bytesOf(10), 10), { signal: never })
  const uploadId = await beginUpload('unlisted/1')
  await store.remove('unlisted/1', { uploadId })
  t.same(await remains('unlisted/1'), [])
  await t.resolves(store.remove('unlisted/1'))
})

s3Test('A store that may not list uploads removes what is named, and says when nothing was', async (t) => {
  const { store, proxy, remains, beginUpload } = await openBehindProxy(t)
  proxy.fault = unlisted(403, 'AccessDenied')
  const uploadId = await beginUpload('denied/1')
  await store.remove('denied/1', { uploadId })
  t.same(await remains('denied/1'), [])

  await store.put('denied/2', chunksOf(bytesOf(10), 10), { signal: never })
  await t.rejects(store.remove('denied/2'), unavailable)
  t.same(await remains('denied/2'), [], 'the object is gone all the same')
})

s3Test('A removal that fails says so', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  proxy.fault = (exchange) =>
    exchange.operation === 'DeleteObject' ? exchange.answer(403, errorBody('AccessDenied')) : exchange.pass()
  await t.rejects(store.remove('denied/3'), { ...unavailable, cause: { name: 'AccessDenied' } })
})

s3Test('Lists of several pages are read to the end, and longer keys in them left alone', async (t) => {
  const { store, proxy } = await openBehindProxy(t)
  const pages = (list: string, entry: (key: string, id: string) => string, marker: string) => (exchange: Exchange) => {
    const isFirst = exchange.nth === 1
    const entries = isFirst
      ? entry('pages/1', 'a') + entry('pages/1', 'b')
      : entry('pages/1', 'c') + entry('pages/11', 'd')
    const next = isFirst ? `<NextKeyMarker>pages/1</NextKeyMarker><Next${marker}>b</Next${marker}>` : ''
    exchange.answer(200, `<${list}><IsTruncated>${isFirst}</IsTruncated>${next}${entries}</${list}>`)
  }
  const asked: string[] = []
  const uploadPages = pages(
    'ListMultipartUploadsResult',
    (key, id) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`,
    'UploadIdMarker',
  )
  const versionPages = pages(
    'ListVersionsResult',
    (key, id) => `<Version><Key>${key}</Key><VersionId>${id}</VersionId></Version>`,
    'VersionIdMarker',
  )
  proxy.fault = (exchange) => {
    const { operation, request, response } = exchange
    const { searchParams } = new URL(request.url ?? '', 'http://store')
    if (operation === 'ListMultipartUploads') return uploadPages(exchange)
    if (operation === 'ListObjectVersions') return versionPages(exchange)
    asked.push(`${operation} ${searchParams.get('uploadId') ?? searchParams.get('versionId') ?? ''}`)
    response.writeHead(204, { 'x-amz-version-id': 'any' }).end()
  }
  await store.remove('pages/1')
  t.same(asked, [
    ...['AbortMultipartUpload a', 'AbortMultipartUpload b', 'AbortMultipartUpload c'],
    'DeleteObject ',
    ...['DeleteObject a', 'DeleteObject b', 'DeleteObject c'],
  ])
})

function unlisted(status: number, code: string): (exchange: Exchange) => unknown {
  return (exchange) =>
    exchange.operation === 'ListMultipartUploads' ? exchange.answer(status, errorBody(code)) : exchange.pass()
}
