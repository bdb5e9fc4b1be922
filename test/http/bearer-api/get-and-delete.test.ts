import { sql } from 'drizzle-orm'
import t from 'tap'
import { attach, isBearerError, list } from '../../kit/bearer-api.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { send } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'

t.test('retrieve', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const created = await attach(server, headers, undefined, { conversation_id: '1' })
  const path = `/v1/attachments/${created.id}`
  for (const userId of [1, 2, 3]) {
    const response = await send(server, 'GET', path, await server.bearer(userId))
    t.equal(response.status, 200)
    t.match(await response.json(), { ...created, file_url: String }, `member ${userId}`)
  }
  const head = await send(server, 'HEAD', path, headers)
  t.equal(head.status, 200)

  const unknown = await send(server, 'GET', `/v1/attachments/${'A'.repeat(16)}`, headers)
  const text = await unknown.clone().text()
  await isBearerError(t, unknown, 404, 'not_found_error')
  const notMine = await send(server, 'GET', path, await server.bearer(9))
  t.equal(notMine.status, 404)
  t.equal(await notMine.text(), text, 'not yours is the same as not there')
  for (const id of ['1', '0', 'x', 'A'.repeat(17), '%00', '%F0%9F%98%80', '9'.repeat(16)])
    t.equal(await (await send(server, 'GET', `/v1/attachments/${id}`, headers)).text(), text, id)

  await server.db.execute(sql`
    insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type,
      file_checksum_algorithm, state, attempt)
    values ('NotReadyNotReady', 1, 1, 2, 'x', 'text/plain', 'sha256', 'UploadFromClientToServerInProgress', 1)`)
  for (const method of ['GET', 'PUT'])
    await isBearerError(
      t,
      await send(server, method, '/v1/attachments/NotReadyNotReady', headers, method === 'PUT' ? {} : undefined),
      404,
      'not_found_error',
      `${method}, not Ready`,
    )
})

for (const store of ['disk', 's3'] as const) {
  t.test(`delete, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const headers = await server.bearer(2)
    const created = await attach(server, headers)
    const path = `/v1/attachments/${created.id}`
    t.equal((await server.remains()).objects.length, 1)

    const deleted = await send(server, 'DELETE', path, headers)
    t.equal(deleted.status, 204)
    t.equal(await deleted.text(), '')
    t.equal(deleted.headers.get('content-length'), null)
    for (const method of ['GET', 'PUT', 'DELETE'])
      await isBearerError(t, await send(server, method, path, headers), 404, 'not_found_error', `${method} afterwards`)
    await isBearerError(t, await fetch(created.file_url), 404, 'not_found_error', 'file_url afterwards')
    t.same((await list(server, headers)).data, [])
    t.same(await server.states(), {})
    await until('the bytes are gone', async () => (await server.remains()).objects.length === 0)
    t.same(await server.remains(), { objects: [], uploads: [] })
  })
}

t.test('who may delete', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const uploader = await server.bearer(2)
  const add = async () => {
    const { id } = await attach(server, uploader, undefined, { conversation_id: '1' })
    return `/v1/attachments/${id}`
  }
  const remove = async (path: string, who: Record<string, string>) => send(server, 'DELETE', path, who)
  const path = await add()
  await isBearerError(t, await remove(path, await server.bearer(3)), 403, 'permission_error', 'another member')
  await isBearerError(t, await remove(path, await server.bearer(9)), 404, 'not_found_error', 'a stranger')
  t.same(await server.states(), { ReadyForDownloadFromServerToClient: 1 })
  t.equal((await remove(path, uploader)).status, 204, 'the uploader')
  t.equal((await remove(await add(), await server.bearer(1))).status, 204, 'the moderator')
  t.equal((await remove(await add(), await server.bearer(9, ['admin']))).status, 204, 'an admin token')
})
