import { randomBytes } from 'node:crypto'
import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { type Metadata, Session } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { openRequest, readAnswer } from '../../kit/raw-http.ts'
import { startTestServer } from '../../kit/server.ts'
import { digestField, hasHistory, hexOf, objectsOf, ready, rowOf, toReady } from './reservations.ts'

const bytes = randomBytes(3 * 2 ** 20)

const files: { what: string; fileName: string; content: Buffer }[] = [
  { what: 'an empty file', fileName: 'empty.txt', content: Buffer.alloc(0) },
  { what: 'one byte', fileName: 'a', content: Buffer.from('a') },
  { what: '3 MiB', fileName: 'b.bin', content: bytes },
  { what: '17 MiB, more than one part', fileName: 'c.bin', content: Buffer.alloc(17 * 2 ** 20, bytes) },
  { what: 'a name in Unicode', fileName: 'Résumé 日本 🙂 100%?#&.txt', content: Buffer.from('content') },
]

for (const store of ['s3', 'disk'] as const) {
  t.test(`the bytes of a reservation, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const session = await Session.of(server, 2)
    for (const [index, { what, fileName, content }] of files.entries()) {
      await t.test(what, async (t) => {
        const id = await session.reserve({
          fileName,
          fileSize: content.length,
          contentType: 'text/x-mine',
          fileChecksum: hexOf('sha256', content),
        })
        const response = await session.put(id, fileName, content, { 'repr-digest': digestField(content) })
        t.equal(response.status, 200)
        const metadata = await readJson<Metadata>(response)
        t.match(metadata, {
          attachmentId: id,
          attachmentState: ready,
          contentType: 'text/x-mine',
          fileChecksum: hexOf('sha256', content),
          fileName,
          fileSize: content.length,
        })
        t.strictSame(await session.metadata(id), metadata)
        const download = await session.download(id, fileName)
        t.equal(download.status, 200)
        t.equal(download.headers.get('content-type'), 'application/octet-stream')
        t.ok(Buffer.from(await download.bytes()).equals(content), 'the bytes are those sent')
        t.match(await rowOf(server, id), { attempt: 1, isLeased: false, failureReason: null })
        t.strictSame(await objectsOf(server, id), [[1, false]])
        await hasHistory(t, server, id, [['Initial'], toReady])
        t.equal((await server.remains()).objects.length, index + 1, 'one object each')
      })
    }
    t.strictSame((await server.remains()).uploads, [])
    t.strictSame(await server.states(), { [ready]: files.length })
  })
}

t.test('whatever its Content-Type, unless that is a form, the body is the file', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_IDLE_SECONDS: '1' } })
  const session = await Session.of(server, 2)
  for (const [type, content] of [
    ['application/json', '{"not": json'],
    ['application/json', ''],
    ['application/x-www-form-urlencoded', 'a=b&c=%zz'],
    ['text/plain;charset=utf-16', 'content'],
    ['x/y', 'content'],
    [undefined, 'content'],
    [undefined, ''],
  ] as const) {
    const id = await session.reserve({ fileSize: content.length, contentType: 'image/png' })
    const headers = { ...session.headers, ...(type && { 'content-type': type }), connection: 'close' }
    const length = { 'content-length': content.length }
    const socket = openRequest(server.url, 'PUT', `/api/v1/attachments/${id}/a.txt`, { ...headers, ...length })
    socket.write(content)
    t.equal((await readAnswer(socket)).status, 200, `${type} ${content}`)
    const download = await session.download(id, 'a.txt')
    t.equal(download.headers.get('content-type'), 'image/png', 'as reserved')
    t.equal(await download.text(), content)
  }
})

t.test('the Content-Type counts when neither reservation nor name told one', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  for (const [fileName, sent, kept] of [
    ['unknown', 'image/webp', 'image/webp'],
    ['unknown', 'nonsense', undefined],
    ['unknown', 'application/octet-stream', 'application/octet-stream'],
    ['a.png', 'image/webp', 'image/png'],
  ] as const) {
    const id = await session.reserve({ fileName, fileSize: 7 })
    const { status } = await session.put(id, fileName, 'content', { 'content-type': sent })
    t.equal(status, kept === undefined ? 415 : 200, `${sent} for ${fileName}`)
    t.equal((await session.metadata(id)).contentType, kept ?? 'application/octet-stream')
  }
})

t.test('a name is the same in either normal form', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileName: 'é.txt', fileSize: 7 })
  t.equal((await session.put(id, 'e\u0301.txt', 'content')).status, 200)
})

t.test('a connection carries on after it', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const ids = [await session.reserve({ fileSize: 7 }), await session.reserve({ fileSize: 7 })]
  const put = (id: number | undefined, rest: string) =>
    `PUT /api/v1/attachments/${id}/a.txt HTTP/1.1\r\nHost: test\r\nCookie: ${session.headers.cookie}\r\n${rest}`
  const socket = openRequest(server.url, 'GET', `/api/v1/attachments/${ids[0]}`, session.headers)
  socket.write(put(ids[0], 'Content-Length: 7\r\n\r\ncontent'))
  socket.write(put(ids[1], 'Content-Length: 7\r\nConnection: close\r\n\r\ncontent'))
  const { body } = await readAnswer(socket)
  t.strictSame(body.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200'])
  t.strictSame(await server.states(), { [ready]: 2 })
})

t.test('in md5 mode a Repr-Digest is compared besides', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { CHECKSUM_ALGORITHM: 'md5' } })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7, fileChecksum: hexOf('md5', 'content') })
  const wrong = await session.put(id, 'a.txt', 'content', { 'repr-digest': digestField('another') })
  t.equal(wrong.status, 422)
  t.match(await wrong.text(), new RegExp(`sha256 .* is ${hexOf('sha256', 'content')}`))
  t.match(await session.metadata(id), {
    attachmentState: 'ChecksumVerificationOnServerSideMismatch',
    fileChecksum: hexOf('md5', 'content'),
  })
  t.equal((await session.put(id, 'a.txt', 'content', { 'repr-digest': digestField('content') })).status, 200)
  t.match(await session.metadata(id), { attachmentState: ready, fileChecksum: hexOf('md5', 'content') })

  const other = await session.reserve({ fileSize: 7, fileChecksum: hexOf('md5', 'content') })
  const md5 = await session.put(other, 'a.txt', 'another', { 'repr-digest': digestField('another') })
  t.match(await md5.text(), new RegExp(`md5 .* is ${hexOf('md5', 'another')}`), 'the one that was reserved too')
  t.equal(md5.status, 422)
})
