import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, Session } from '../../kit/cookie-api.ts'
import { openRequest, readAnswer } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { storeIsEmpty } from '../bad-input/remains.ts'
import { digestField, hexOf, isUntouched, ready } from './reservations.ts'

interface Refusal {
  what: string
  headers: Record<string, string>
  body?: string
  status: number
  text: RegExp
}

const chunked = { 'transfer-encoding': 'chunked' }
const sevenBytes = { 'content-length': '7' }
const malformed = /Repr-Digest must read sha-256=/
const base64 = digestField('content').slice('sha-256='.length)

const digests: [field: string, text: RegExp][] = [
  ['sha-256', malformed],
  ['sha-256=', malformed],
  ['sha-256=:abc:', malformed],
  ['sha-256=::', malformed],
  [`sha-256=${base64.slice(1, -1)}`, malformed],
  [`sha-256="${base64}"`, malformed],
  [`sha-256=${hexOf('sha256', 'content')}`, malformed],
  [`sha-256=${base64} sha-512=${base64}`, malformed],
  [`sha-256=${base64},,`, malformed],
  [`,sha-256=${base64}`, malformed],
  [`sha-256=${base64}, `, malformed],
  [`sha-256=${base64}, sha-256=:abc:`, malformed],
  [`SHA-256=${base64}`, malformed],
  [digestField('another'), /sha256 sent along is .* was reserved/],
]

const refusals: Refusal[] = [
  {
    what: 'no Content-Length',
    headers: chunked,
    body: '7\r\ncontent\r\n0\r\n\r\n',
    status: 411,
    text: /Content-Length/,
  },
  { what: 'no body at all', headers: {}, body: '', status: 411, text: /Content-Length/ },
  {
    what: 'fewer bytes than reserved',
    headers: { 'content-length': '6' },
    body: 'conten',
    status: 400,
    text: /has 6 bytes, but 7 were reserved/,
  },
  {
    what: 'more bytes than reserved',
    headers: { 'content-length': '8' },
    body: 'content!',
    status: 400,
    text: /has 8 bytes, but 7 were reserved/,
  },
  {
    what: 'nothing',
    headers: { 'content-length': '0' },
    body: '',
    status: 400,
    text: /has 0 bytes, but 7 were reserved/,
  },
  {
    what: 'far too much',
    headers: { 'content-length': '2097152' },
    body: 'x'.repeat(2 ** 20),
    status: 413,
    text: /larger than 1048576 bytes/,
  },
  {
    what: 'more than a number holds',
    headers: { 'content-length': '9007199254740993' },
    status: 413,
    text: /larger than 1048576 bytes/,
  },
  { what: 'gzip', headers: { ...sevenBytes, 'content-encoding': 'gzip' }, status: 415, text: /Content-Encoding/ },
  {
    what: 'identity and gzip',
    headers: { ...sevenBytes, 'content-encoding': 'identity, gzip' },
    status: 415,
    text: /Content-Encoding/,
  },
  {
    what: 'a part of a file',
    headers: { ...sevenBytes, 'content-range': 'bytes 0-6/14' },
    status: 400,
    text: /without Content-Range/,
  },
  {
    what: 'two digests that differ',
    headers: { ...sevenBytes, 'repr-digest': digestField('content'), 'content-digest': digestField('another') },
    status: 400,
    text: /Repr-Digest and Content-Digest differ/,
  },
  {
    what: 'a Content-Digest that is another than reserved',
    headers: { ...sevenBytes, 'content-digest': digestField('another') },
    status: 400,
    text: /sha256 sent along is .* was reserved/,
  },
  ...digests.map(([field, text]) => ({
    what: `Repr-Digest: ${field}`,
    headers: { ...sevenBytes, 'repr-digest': field },
    status: 400,
    text,
  })),
]

/** As it goes over the wire: fetch would correct it. */
async function putRaw({ url }: TestServer, path: string, headers: Record<string, string>, body = 'content') {
  const socket = openRequest(url, 'PUT', `/api/v1${path}`, { connection: 'close', ...headers })
  socket.on('error', () => {})
  socket.write(body)
  const { status, headers: answered, body: text } = await readAnswer(socket)
  return new Response(text, { status, headers: answered })
}

async function isRefused(t: Test, server: TestServer, session: Session, { headers, body, status, text }: Refusal) {
  const id = await session.reserve({ fileSize: 7, fileChecksum: hexOf('sha256', 'content') })
  const path = `/attachments/${id}/a.txt`
  await isError(t, await putRaw(server, path, { ...session.headers, ...headers }, body), status, text)
  await isUntouched(t, server, id)
  await storeIsEmpty(t, server)
  t.equal((await session.ask('DELETE', `/attachments/${id}`)).status, 200)
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`what is refused before it begins, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_FILE_SIZE: '1MiB', MAX_CONCURRENT_UPLOADS: '1' } })
    const session = await Session.of(server, 2)
    for (const refusal of refusals) await t.test(refusal.what, (t) => isRefused(t, server, session, refusal))
    const id = await session.reserve({ fileSize: 7 })
    t.equal((await session.put(id, 'a.txt', 'content')).status, 200, 'an ordinary one goes through')
  })
}

t.test('digests that are taken', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  for (const headers of [
    { 'repr-digest': digestField('content') },
    { 'content-digest': digestField('content') },
    { 'repr-digest': digestField('content'), 'content-digest': digestField('content') },
    { 'repr-digest': digestField('content').replace(/=:$/, ':') },
    { 'repr-digest': `sha-512=:AAAA:, ${digestField('content')};a=1;b, md5=:AAAA:` },
    { 'repr-digest': `unknown=?1;a="x,y", other="sha-256=:AAAA:" ,${digestField('content')}` },
    { 'repr-digest': `sha-256=:AAAA:, ${digestField('content')}` },
    { 'repr-digest': 'sha-512=:AAAA:' },
    { 'content-encoding': 'identity', 'content-digest': 'id-sha-256=:AAAA:' },
  ] as Record<string, string>[]) {
    const id = await session.reserve({ fileSize: 7 })
    t.equal((await session.put(id, 'a.txt', 'content', headers)).status, 200, JSON.stringify(headers))
  }
})

t.test('only the uploader, at the current name', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const put = async (userId: number, fileName = 'a.txt', attachment = id) =>
    (await Session.of(server, userId)).put(attachment, fileName, 'content')
  for (const member of [1, 3]) await isError(t, await put(member), 403, /Only the uploader/)
  await isError(t, await put(9), 404, /^Attachment not found$/)
  for (const name of ['b.txt', 'A.txt', 'a.txt ', 'a'])
    await isError(t, await put(2, name), 404, /^Attachment not found$/)
  await isError(t, await put(2, 'a.txt', id + 1), 404, /^Attachment not found$/)
  await session.patch(id, { fileName: 'b.txt' })
  await isError(t, await put(2, 'a.txt'), 404, /^Attachment not found$/)
  await isUntouched(t, server, id)
  await server.db.execute('delete from members where user_id = 2')
  await isError(t, await put(2, 'b.txt'), 404, /^Attachment not found$/)
  await isUntouched(t, server, id)
})

t.test('what is Ready stays as it is', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  t.equal((await session.put(id, 'a.txt', 'content')).status, 200)
  await isError(t, await session.put(id, 'a.txt', 'another'), 409, new RegExp(`its state is ${ready}`))
  t.equal(await (await session.download(id, 'a.txt')).text(), 'content')
  t.equal((await server.remains()).objects.length, 1)
})

t.test('a MAX_FILE_SIZE that was lowered since holds', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILE_SIZE: '6' } })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 6 })
  await server.db.execute('update attachments set declared_size = 7')
  await isError(t, await session.put(id, 'a.txt', 'content'), 413, /larger than 6 bytes/)
  await isUntouched(t, server, id)
})
