import { once } from 'node:events'
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import t, { type Test } from 'tap'
import { selfSigned, skipWithoutOpenSsl } from '../../kit/self-signed.ts'
import { bytesOf, keptChunksOf } from '../bodies.ts'
import { type Exchange, errorBody, openFaultProxy } from '../fault-proxy.ts'
import { openAt, partSize } from '../s3-fixture.ts'

const never = new AbortController().signal

/** The sizes and announcements that take a put its different ways. */
const ways = [
  ['collected', 1000, undefined],
  ['in parts', 2 * partSize, undefined],
  ['streamed', 2 * partSize, 2 * partSize],
] as const

/** A store that answers every request like this once it has the bytes, and has no object. */
async function openRefusing(t: Test, status: number, code: string, message = code) {
  const proxy = await openFaultProxy(t, 'http://unused')
  proxy.fault = ({ operation, request, ask, answer }: Exchange) => {
    if (operation === 'HeadObject') return answer(404)
    ask()
    request.resume().once('end', () => answer(status, errorBody(code, message)))
  }
  return { store: openAt(t, proxy.endpoint), proxy }
}

for (const [name, size, announced] of ways)
  for (const [status, code, told, advice] of [
    [400, 'EntityTooLarge', /does not take a file of this size/, /MAX_FILE_SIZE/],
    [400, 'InvalidRequest', /refuses this, and would again/, /S3_CHECKSUMS=off/],
    [403, 'AccessDenied', /refuses this, and would again/, /README/],
    [501, 'NotImplemented', /refuses this, and would again/, /S3_CONDITIONAL_WRITES=false/],
    [507, 'XMinioStorageFull', /no space left/, /XMinioStorageFull/],
  ] as const)
    t.test(`A put that is ${name} and refused with ${status} ${code} is told as such`, async (t) => {
      const { store, proxy } = await openRefusing(t, status, code)
      const options = { signal: never, size: announced }
      const error = await store.put('a/1', keptChunksOf(bytesOf(size), 65_536), options).catch((error) => error)
      t.match(error, { code: 'storage_unavailable', message: told, cause: { name: code, message: advice } })
      t.notMatch(error.message, new RegExp(`${code}|moment`))
      const asked = proxy.seen.filter(({ operation }) => operation !== 'HeadObject' && operation !== 'other')
      t.equal(new Set(asked.map(({ request }) => request.url)).size, asked.length, 'nothing was tried twice')
    })

for (const [name, size, announced] of ways)
  t.test(
    `A put that is ${name} and meets a full disk, which MinIO calls an internal error, is told as such`,
    async (t) => {
      const words = 'We encountered an internal error, please try again.: cause(no space left on device)'
      const { store } = await openRefusing(t, 500, 'InternalError', words)
      const options = { signal: never, size: announced }
      const put = store.put('a/1', keptChunksOf(bytesOf(size), 65_536), options)
      await t.rejects(put, { code: 'storage_unavailable', message: /no space left/ })
    },
  )

t.test('A refusal that passes is told as one that does', async (t) => {
  const { store } = await openRefusing(t, 429, 'TooManyRequests')
  const error = await store.put('a/1', keptChunksOf(bytesOf(10), 10), { signal: never }).catch((error) => error)
  t.match(error, { code: 'storage_unavailable', message: /in a moment/ })
})

t.test('A store that says 404 where there are no uploads can be listed and removed from', async (t) => {
  const proxy = await openFaultProxy(t, 'http://unused')
  proxy.fault = ({ operation, response, answer }) => {
    if (operation === 'ListMultipartUploads') answer(404, errorBody('NoSuchUpload'))
    else if (operation === 'ListObjectVersions') answer(200, '<A></A>')
    else response.writeHead(204).end()
  }
  const store = openAt(t, proxy.endpoint)
  await t.resolves(store.remove('a/1', { uploadId: '1' }))
  for await (const page of store.list('uploads', { signal: never })) t.same(page, [])
  proxy.fault = ({ operation, response, answer }) =>
    operation === 'ListMultipartUploads' ? answer(404, errorBody('NoSuchBucket')) : response.writeHead(204).end()
  await t.rejects(store.remove('a/1'), { code: 'storage_unavailable' }, 'a bucket that is missing is another matter')
})

t.test('Why a store cannot be reached is told with what helps', { skip: skipWithoutOpenSsl }, async (t) => {
  const { key, cert } = selfSigned()
  const secure = await listening(
    t,
    createServer({ key, cert }, (_request, response) => response.end()),
  )
  const plain = await listening(
    t,
    createPlainServer((_request, response) => response.end()),
  )
  const closed = createPlainServer()
  const gone = await listening(t, closed)
  closed.close()
  for (const [endpoint, message] of [
    [`https://127.0.0.1:${secure}`, /DEPTH_ZERO_SELF_SIGNED_CERT.*NODE_EXTRA_CA_CERTS/],
    [`https://127.0.0.1:${plain}`, /TLS.*S3_ENDPOINT/],
    [`http://127.0.0.1:${secure}`, /https:\/\/ instead of http/],
    [`http://127.0.0.1:${gone}`, /ECONNREFUSED.*start the store/],
    ['http://nobody.invalid', /no such host/],
  ] as const)
    await t.rejects(openAt(t, endpoint).check(never), { code: 'storage_unavailable', message }, endpoint)
})

async function listening(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}
