import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, Session, textFile } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'

for (const store of ['s3', 'disk'] as const) {
  const skip = store === 's3' && skipWithoutS3

  t.test(`a download, on ${store}`, { skip }, async (t) => {
    const session = await Session.of(await startTestServer(t, { store }), 2)
    const [id = 0] = await session.upload(textFile('見積書.txt', 'content'), textFile('empty.txt', ''))
    const get = await session.download(id, '見積書.txt')
    t.equal(get.status, 200)
    t.equal(get.headers.get('content-length'), '7')
    t.equal(get.headers.get('content-type'), 'text/plain')
    t.match(get.headers.get('content-disposition'), /^attachment; filename=".+"; filename\*=UTF-8''%E8/)
    t.equal(await get.text(), 'content')

    const head = await session.ask('HEAD', `/attachments/${id}/${encodeURIComponent('見積書.txt')}`)
    // fetch closes the connection after a HEAD.
    const ofTheFile = (headers: Headers) =>
      [...headers].filter(([name]) => !/^(date|connection|keep-alive)$/.test(name))
    t.equal(head.status, 200)
    t.strictSame(ofTheFile(head.headers), ofTheFile(get.headers), 'HEAD tells the same')
    t.equal(await head.text(), '')

    const empty = await session.download(id + 1, 'empty.txt')
    t.equal(empty.status, 200)
    t.equal(empty.headers.get('content-length'), '0')
    t.equal(await empty.text(), '')
  })

  t.test(`a deletion, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store })
    const session = await Session.of(server, 2)
    const [id = 0, kept = 0] = await session.upload(textFile('a.txt'), textFile('b.txt'))
    const response = await session.ask('DELETE', `/attachments/${id}`)
    t.equal(response.status, 200)
    t.strictSame(await readJson(response), { httpStatusCode: 200 }, 'as in the seed')
    for (const [method, path] of [
      ['DELETE', ''],
      ['GET', ''],
      ['GET', '?include=transitions'],
      ['GET', '/a.txt'],
    ] as const)
      await isError(t, await session.ask(method, `/attachments/${id}${path}`), 404, /^Attachment not found$/)
    t.strictSame(
      (await session.list()).map(({ attachmentId }) => attachmentId),
      [kept],
    )
    await until('its bytes are gone', async () => (await server.remains()).objects.length === 1)
    t.equal(await (await session.download(kept, 'b.txt')).text(), 'content', 'and only its bytes')
  })
}

t.test('there is no thumbnail, and nothing to download of a file that failed', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILE_SIZE: '10' } })
  const session = await Session.of(server, 2)
  const [id = 0] = await session.upload(textFile('a.txt'))
  await isError(t, await session.ask('GET', `/attachments/${id}/a.txt?variant=thumbnail`), 404, /no thumbnail/)
  await isError(t, await session.ask('GET', `/attachments/${id}/a.txt?variant=other`), 400, /not as documented/)
  await session.post([textFile('large.txt', 'x'.repeat(11))])
  const [, large] = await session.list()
  const path = `/attachments/${large?.attachmentId}`
  await isError(t, await session.ask('GET', `${path}/large.txt`), 404, /not ready .* UploadFromClientToServerFailed/)
  t.equal((await session.ask('DELETE', path)).status, 200, 'but it can be deleted')
})

t.test('who may delete: the uploader and moderators, no other member', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const [moderator, uploader, member] = await Promise.all([1, 2, 3].map((userId) => Session.of(server, userId)))
  if (!moderator || !uploader || !member) throw new Error('three sessions')
  const [first = 0, second = 0] = await uploader.upload(textFile(), textFile())
  const [moderators = 0] = await moderator.upload(textFile())

  await isError(t, await member.ask('DELETE', `/attachments/${first}`), 403, /Only the uploader or a moderator/)
  await isError(t, await uploader.ask('DELETE', `/attachments/${moderators}`), 403, /Only the uploader or a moderator/)
  t.strictSame(await server.states(), { ReadyForDownloadFromServerToClient: 3 }, 'nothing has changed')
  t.equal(await (await member.download(first, 'a.txt')).text(), 'content')

  t.equal((await uploader.ask('DELETE', `/attachments/${first}`)).status, 200)
  t.equal((await moderator.ask('DELETE', `/attachments/${second}`)).status, 200)
  t.equal((await moderator.ask('DELETE', `/attachments/${moderators}`)).status, 200)
  t.strictSame(await server.states(), {})
})
