import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, Session } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { metric } from '../../kit/metric.ts'
import { startTestServer } from '../../kit/server.ts'
import { beginPut } from '../../kit/slow-upload.ts'
import { cookieApi } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { digestField, hexOf, objectsOf, ready, rowOf } from './reservations.ts'

for (const store of ['s3', 'disk'] as const) {
  t.test(
    `a PUT whose answer was lost, sent again, on ${store}`,
    { skip: store === 's3' && skipWithoutS3 },
    async (t) => {
      const server = await startTestServer(t, { store })
      const session = await Session.of(server, 2)
      const id = await session.reserve({ fileSize: 7 })
      const digest = { 'repr-digest': digestField('content') }
      t.equal((await session.put(id, 'a.txt', 'content', digest)).status, 200)
      const before = {
        metadata: await session.metadata(id, '?include=transitions'),
        objects: await objectsOf(server, id),
      }

      const again = await session.put(id, 'a.txt', 'content', digest)
      t.equal(again.status, 200)
      const { transitions, ...metadata } = before.metadata
      t.strictSame(await readJson(again), metadata, 'the same metadata')

      await isError(t, await session.put(id, 'a.txt', 'content'), 409, new RegExp(`its state is ${ready}`))
      const another = { 'repr-digest': digestField('another') }
      await isError(t, await session.put(id, 'a.txt', 'another', another), 409, new RegExp(`its state is ${ready}`))
      await isError(t, await session.put(id, 'a.txt', 'longer than', digest), 400, /has 11 bytes, but 7 were reserved/)
      await isError(t, await session.put(id, 'a.txt', 'another', digest), 422, /not .* as declared/)
      const cut = beginPut(server.url, `/api/v1/attachments/${id}/a.txt`, 7, { ...session.headers, ...digest })
      await cut.send('cont')
      cut.socket.end()
      cookieApi.isError(t, await cut.answer, 400, /closed before the last byte|broke off/)

      const after = {
        metadata: await session.metadata(id, '?include=transitions'),
        objects: await objectsOf(server, id),
      }
      t.strictSame(after, before, 'nothing has changed')
      t.equal(await (await session.download(id, 'a.txt')).text(), 'content')
      t.equal((await server.remains()).objects.length, 1)
      await until('no upload is under way', () => server.app.uploadsEnded?.().then(() => true))
    },
  )
}

t.test('where the attachment keeps another checksum than the one declared', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { CHECKSUM_ALGORITHM: 'md5' } })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const put = (content: string) => session.put(id, 'a.txt', content, { 'repr-digest': digestField(content) })
  t.equal((await put('content')).status, 200)
  t.equal((await put('content')).status, 200)
  await isError(t, await put('another'), 409, /Other bytes/)
  t.match(await rowOf(server, id), { state: ready, attempt: 1, fileChecksum: hexOf('md5', 'content') })
})

t.test('bytes that are there already take a slot, too', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOADS_PER_USER: '1' } })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const digest = { 'repr-digest': digestField('content') }
  const put = () => session.put(id, 'a.txt', 'content', digest)
  t.equal((await put()).status, 200)
  const slow = beginPut(server.url, `/api/v1/attachments/${id}/a.txt`, 7, { ...session.headers, ...digest })
  await slow.send('cont')
  await until('the slow one takes it', async () => (await metric(server, 'stowage_uploads_in_progress')) === 1)
  await isError(t, await put(), 429, /too many uploads under way/)
  await slow.send('ent')
  t.match(await slow.answer, { status: 200 })
  t.equal((await put()).status, 200, 'it is free again')
})

t.test('a form is no file', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const put = (type: string) => session.put(id, 'a.txt', 'content', { 'content-type': type })
  for (const type of ['multipart/form-data; boundary=b', 'Multipart/Form-Data'])
    await isError(t, await put(type), 415, /POST \/api\/v1\/messages\/:messageId\/attachments/)
  await isError(t, await put(`text/${'x'.repeat(251)}`), 400, /has 256 characters; at most 255/)
  t.match(await rowOf(server, id), { state: 'Initial', attempt: 0 })
  const answer = await put('application/x-www-form-urlencoded')
  t.equal(answer.status, 200)
  t.match(await readJson(answer), { contentType: 'text/plain' }, 'which is what curl says of any file')
})
