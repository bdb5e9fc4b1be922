import { randomBytes } from 'node:crypto'
import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, Session, textFile } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'

const ready = 'ReadyForDownloadFromServerToClient'
const failed = 'UploadFromClientToServerFailed'

for (const store of ['s3', 'disk'] as const) {
  const skip = store === 's3' && skipWithoutS3

  t.test(`one file, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store })
    const session = await Session.of(server, 2)
    const response = await session.post([textFile('a.txt')])
    t.equal(response.status, 200)
    const { attachmentIds, ...rest } = await readJson<{ attachmentIds: number[] }>(response)
    t.strictSame(rest, { httpStatusCode: 200 }, 'as in the seed')
    t.equal(attachmentIds.length, 1)
    const download = await session.download(attachmentIds[0] as number, 'a.txt')
    t.equal(await download.text(), 'content')
    t.equal((await server.remains()).objects.length, 1)
  })

  t.test(`several files in one request, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store })
    const session = await Session.of(server, 2)
    const contents = [randomBytes(100_000), randomBytes(6 * 2 ** 20), Buffer.alloc(0), Buffer.from('last')]
    // Two of the same name are two files.
    const names = ['b.bin', 'a.bin', 'b.bin', 'c.bin']
    const files = contents.map((content, index) => new File([content], names[index] as string))
    const ids = await session.upload(...files)
    t.equal(new Set(ids).size, contents.length)
    for (const [index, content] of contents.entries()) {
      const id = ids[index] as number
      t.match(await session.metadata(id), { fileName: names[index], fileSize: content.length, attachmentState: ready })
      const bytes = Buffer.from(await (await session.download(id, names[index] as string)).arrayBuffer())
      t.ok(bytes.equals(content), `the bytes of file ${index}, in the order sent`)
    }
    t.strictSame(await server.states(), { [ready]: contents.length })
    t.equal((await server.remains()).objects.length, contents.length)
  })

  t.test(`all of them become Ready or none, on ${store}`, { skip }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_FILE_SIZE: '1MiB' } })
    const session = await Session.of(server, 2)
    const tooLarge = new File([Buffer.alloc(2 ** 20 + 1)], 'too large.bin')
    await isError(t, await session.post([textFile('a.txt'), textFile('b.txt'), tooLarge]), 413, /larger than 1048576/)
    t.strictSame(await server.states(), { [failed]: 3 })
    for (const { failureReason } of await session.list()) t.match(failureReason, /larger than 1048576/)
    await until('the purge has come round', async () => (await server.unpurged()) === 0)
    t.strictSame(await server.remains(), { objects: [], uploads: [] })
  })
}

t.test('as many files as allowed, and a field that nobody knows', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const files = Array.from({ length: 20 }, (_, index) => textFile(`${index}.txt`))
  await isError(t, await session.post(files, [['messageId', '9']]), 400, /not allowed: "messageId"/)
  t.equal((await session.post(files)).status, 200)
  const names = (await session.list()).map(({ fileName }) => fileName)
  t.strictSame(
    names,
    files.map(({ name }) => name),
  )
})

t.test('a read-only session may change nothing', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const [id = 0] = await session.upload(textFile())
  const reserved = await session.reserve({ fileSize: 7 })
  const exchange = await fetch(`${server.url}/api/v1/session`, {
    method: 'POST',
    headers: await server.bearer(2, ['read']),
  })
  const cookie = exchange.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const at = `${server.url}/api/v1`
  const form = new FormData()
  form.append('files', textFile())
  const json = { cookie, 'content-type': 'application/json' }
  for (const [method, path, headers, body] of [
    ['POST', '/messages/1/attachments', { cookie }, form],
    ['POST', '/attachments', json, '{"messageId":1,"fileName":"a","fileSize":7}'],
    ['PATCH', `/attachments/${reserved}`, json, '{"fileName":"b"}'],
    ['PUT', `/attachments/${reserved}/a.txt`, { cookie }, 'content'],
    ['DELETE', `/attachments/${id}`, { cookie }, null],
  ] as const)
    await isError(t, await fetch(`${at}${path}`, { method, headers, body }), 403, /scope write/)
  t.equal((await fetch(`${at}/attachments/${id}`, { headers: { cookie } })).status, 200)
  t.strictSame(await server.states(), { [ready]: 1, Initial: 1 })
})
