import { sql } from 'drizzle-orm'
import t from 'tap'
import { deleteMessage, deleteRoom, deleteUser } from '#deletion/delete.ts'
import { isError, type Metadata, Session } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'
import { newestId, storeIsEmpty } from '../bad-input/remains.ts'
import { hexOf, isUntouched } from './reservations.ts'

const checksum = hexOf('sha256', 'content')

t.test('a reservation: the metadata of what was announced, and its address', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const response = await session.announce({
    fileName: 'Re\u0301sume\u0301 日本 🙂.pdf',
    fileSize: 645560,
    contentType: 'Application/PDF; a=b',
    fileChecksum: checksum.toUpperCase(),
    unknown: true,
  })
  t.equal(response.status, 201)
  const { attachmentId, createdUtc, lastModifiedUtc, ...rest } = await readJson<Metadata>(response)
  t.strictSame(rest, {
    attachmentState: 'Initial',
    contentType: 'application/pdf',
    fileChecksum: checksum,
    fileChecksumAlgorithm: 'sha256',
    fileName: 'Résumé 日本 🙂.pdf'.normalize('NFC'),
    fileSize: 645560,
    hasThumbnail: false,
    roomId: 1,
    textMessageId: 1,
  })
  t.equal(createdUtc, lastModifiedUtc)
  const address = response.headers.get('location') as string
  t.equal(new URL(address).pathname, `/api/v1/attachments/${attachmentId}`)
  const metadata = await session.metadata(attachmentId)
  t.match(metadata, { ...rest, attachmentId, createdUtc })
  t.strictSame(await session.list(), [metadata], 'it stands among the attachments of its message')
  await isUntouched(t, server, attachmentId)
  t.strictSame(await server.remains(), { objects: [], uploads: [] })
})

t.test('what need not be announced', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  t.match(await session.metadata(await session.reserve({ fileName: 'a.png', fileSize: 0 })), {
    fileChecksum: null,
    contentType: 'image/png',
    fileSize: 0,
  })
})

t.test('until it is Ready there is nothing to download', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  await isError(t, await session.download(id, 'a.txt'), 404, /not ready for download, its state is Initial/)
  t.equal((await session.ask('HEAD', `/attachments/${id}/a.txt`)).status, 404)
})

t.test('what is refused leaves nothing', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILE_SIZE: '1MiB' } })
  const session = await Session.of(server, 2)
  const size = { fileSize: 7 }
  for (const [status, text, fields] of [
    [400, /not as documented.*fileSize/, {}],
    [400, /not as documented.*fileSize/, { fileSize: -1 }],
    [400, /not as documented.*fileSize/, { fileSize: 1.5 }],
    [400, /not as documented.*fileSize/, { fileSize: '7' }],
    [400, /not as documented.*fileSize/, { fileSize: null }],
    [400, /not as documented.*fileSize/, { fileSize: 2 ** 53 }],
    [413, /larger than 1048576 bytes/, { fileSize: 2 ** 20 + 1 }],
    [413, /larger than 1048576 bytes/, { fileSize: Number.MAX_SAFE_INTEGER }],
    [400, /fileName/, { ...size, fileName: undefined }],
    [400, /fileName/, { ...size, fileName: 7 }],
    [400, /is missing/, { ...size, fileName: '' }],
    [400, /path separator/, { ...size, fileName: 'a/b' }],
    [400, /path separator/, { ...size, fileName: 'a\\b' }],
    [400, /control character/, { ...size, fileName: 'a\0b' }],
    [400, /not valid Unicode/, { ...size, fileName: 'a\ud800' }],
    [400, /longer than 255 bytes/, { ...size, fileName: 'é'.repeat(128) }],
    [400, /folder/, { ...size, fileName: '..' }],
    [400, /sha256 in 64 hex digits/, { ...size, fileChecksum: '' }],
    [400, /sha256 in 64 hex digits/, { ...size, fileChecksum: 'a'.repeat(32) }],
    [400, /sha256 in 64 hex digits/, { ...size, fileChecksum: 'g'.repeat(64) }],
    [400, /not as documented.*fileChecksum/, { ...size, fileChecksum: null }],
    [400, /not as documented.*contentType/, { ...size, contentType: 7 }],
    [400, /not as documented.*messageId/, { ...size, messageId: '1' }],
    [400, /not as documented.*messageId/, { ...size, messageId: undefined }],
    [404, /^Message not found$/, { ...size, messageId: 0 }],
    [404, /^Message not found$/, { ...size, messageId: -1 }],
    [404, /^Message not found$/, { ...size, messageId: 1e300 }],
    [404, /^Message not found$/, { ...size, messageId: 999_999 }],
    [404, /^Message not found$/, { ...size, messageId: 9 }],
  ] as const)
    await t.test(`${status} ${JSON.stringify(fields).slice(0, 80)}`, async (t) =>
      isError(t, await session.announce(fields), status, text),
    )
  for (const body of [[], 'text', null]) {
    const response = await session.json('POST', '/attachments', body)
    await isError(t, response, 400, /not as documented/)
  }
  await isError(t, await session.ask('POST', '/attachments'), 400, /not as documented/)
  t.equal(await newestId(server), 0, 'no row')
  await storeIsEmpty(t, server)
})

t.test('with CHECKSUM_ALGORITHM=md5 the checksum announced is an md5', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { CHECKSUM_ALGORITHM: 'md5' } })
  const session = await Session.of(server, 2)
  await isError(t, await session.announce({ fileSize: 7, fileChecksum: checksum }), 400, /md5 in 32 hex digits/)
  const id = await session.reserve({ fileSize: 7, fileChecksum: hexOf('md5', 'content') })
  t.match(await session.metadata(id), { fileChecksum: hexOf('md5', 'content'), fileChecksumAlgorithm: 'md5' })
})

t.test('a reservation goes by itself and with its message, its room and its uploader', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const [one, other] = [await Session.of(server, 2), await Session.of(server, 9)]
  const [first, second, third] = [
    await one.reserve({ fileSize: 7 }),
    await one.reserve({ fileSize: 7 }),
    await other.reserve({ fileSize: 7, messageId: 9 }),
  ]
  t.equal((await one.ask('DELETE', `/attachments/${first}`)).status, 200)
  await isError(t, await one.put(first, 'a.txt', 'content'), 404, /^Attachment not found$/)
  t.strictSame(await server.states(), { Initial: 2 })
  await deleteMessage(server, 1)
  await isError(t, await one.put(second, 'a.txt', 'content'), 404, /^Attachment not found$/)
  t.strictSame(await server.states(), { Initial: 1 })
  await deleteRoom(server, 9)
  await isError(t, await other.put(third, 'a.txt', 'content'), 404, /^Attachment not found$/)
  t.strictSame(await server.states(), {})
  await storeIsEmpty(t, server)

  const leaving = await startTestServer(t, { store: 'disk' })
  await (await Session.of(leaving, 2)).reserve({ fileSize: 7 })
  await deleteUser(leaving, 2)
  t.strictSame(await leaving.states(), {})
})

t.test('in the bearer API there is nothing of it until it is Ready', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const [row] = await server.db.execute(sql`select public_id from attachments where id = ${id}`)
  const headers = { ...(await server.bearer(2)), 'content-type': 'application/json' }
  const ask = (method: string, path = `/${row?.public_id}`, body: string | null = null) =>
    fetch(`${server.url}/v1/attachments${path}`, { method, headers, body })
  const listed = async () => (await readJson<{ data: { filename: string }[] }>(await ask('GET', ''))).data
  t.equal((await ask('GET')).status, 404)
  t.equal((await ask('PUT', undefined, '{"filename":"b.txt"}')).status, 404)
  t.strictSame(await listed(), [])
  t.match(await session.metadata(id), { fileName: 'a.txt' })
  t.equal((await session.put(id, 'a.txt', 'content')).status, 200)
  t.equal((await ask('PUT', undefined, '{"filename":"b.txt"}')).status, 200)
  t.match(await listed(), [{ filename: 'b.txt' }])
})
