import { sql } from 'drizzle-orm'
import t from 'tap'
import { attach, isBearerError, list, put } from '../../kit/bearer-api.ts'
import { type Headers, send } from '../../kit/http-client.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'

/** Attaches files in order and returns their ids, newest first. */
async function attachMany(server: TestServer, headers: Headers, count: number, conversation_id = '1') {
  const ids: string[] = []
  for (let number = 1; number <= count; number++) {
    const { id } = await attach(server, headers, new File([`${number}`], `${number}.txt`), { conversation_id })
    ids.unshift(id)
  }
  return ids
}

t.test('pages', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  t.same(await list(server, headers), { status: 200, has_more: false, data: [] })

  const ids = await attachMany(server, headers, 10)
  const ten = await list(server, headers)
  t.same(
    ten.data.map(({ id }) => id),
    ids,
    'newest first, ten by default',
  )
  t.equal(ten.has_more, false)
  const [newest] = await attachMany(server, headers, 1)
  const eleven = await list(server, headers)
  t.equal(eleven.data.length, 10)
  t.equal(eleven.data[0]?.id, newest)
  t.equal(eleven.has_more, true)

  const one = await list(server, headers, { limit: '1' })
  t.same([one.data.length, one.has_more], [1, true])
  const all = await list(server, headers, { limit: '100' })
  t.same([all.data.length, all.has_more], [11, false])
  t.match(all.data[10], {
    id: ids[9],
    message_id: /^[a-zA-Z0-9]{16}$/,
    filename: '1.txt',
    file_url: /\/1\.txt\?/,
    file_type: 'text/plain',
    file_size: 1,
    created_at: Number,
  })
  t.equal(await (await fetch(all.data[10]?.file_url as string)).text(), '1', 'its file_url works')
})

t.test('what cannot be asked for', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const { id } = await attach(server, headers)
  const bad = [
    ...['0', '101', '1000', '-1', '1.5', 'abc', '', ' 5', '1e1', '０'].map(
      (limit) => `limit=${encodeURIComponent(limit)}`,
    ),
    'limit=5&limit=6',
    `starting_after=${id}&ending_before=${id}`,
    ...['', 'abc', 'A'.repeat(16), '1', '%00', '%F0%9F%98%80'].flatMap((cursor) => [
      `starting_after=${cursor}`,
      `ending_before=${cursor}`,
    ]),
  ]
  for (const query of bad)
    await isBearerError(
      t,
      await send(server, 'GET', `/v1/attachments?${query}`, headers),
      400,
      'invalid_request_error',
      query,
    )

  const other = await attach(server, await server.bearer(9))
  for (const name of ['starting_after', 'ending_before']) {
    const unknown = await send(server, 'GET', `/v1/attachments?${name}=${'A'.repeat(16)}`, headers)
    const notMine = await send(server, 'GET', `/v1/attachments?${name}=${other.id}`, headers)
    t.equal(await notMine.text(), await unknown.text(), 'a cursor of another room is as unknown as one that never was')
  }
})

t.test('whose attachments, and which', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const mine = await attach(server, headers)
  const shared = await attach(server, await server.bearer(3), undefined, { conversation_id: '1' })
  const theirs = await attach(server, await server.bearer(9), undefined, { conversation_id: '9' })

  const seen = async (query = {}, who = headers) => (await list(server, who, query)).data.map(({ id }) => id)
  t.same(await seen(), [shared.id, mine.id], 'of all my conversations')
  t.same(await seen({ conversation_id: '1' }), [shared.id])
  t.same(await seen({}, await server.bearer(9)), [theirs.id])
  t.same(await seen({}, await server.bearer(4)), [])
  const { conversation_id } = await put(server, '/v1/users/2')
  t.same(await seen({ conversation_id }), [mine.id])

  const room9 = await put(server, '/v1/rooms/9', { memberIds: [9] })
  const answers = new Set<string>()
  for (const place of ['9', room9.conversation_id, '77', 'A'.repeat(16), '0', '-1', 'x', '%00', '9'.repeat(20)]) {
    const response = await send(server, 'GET', `/v1/attachments?conversation_id=${place}`, headers)
    answers.add((await isBearerError(t, response, 404, 'not_found_error', place)).message)
  }
  t.same([...answers], ['Conversation not found'], 'not mine and not there are the same')

  for (const state of ['UploadFromClientToServerInProgress', 'ChecksumVerificationOnServerSideMismatch'])
    await server.db.execute(sql`
      insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type,
        file_checksum_algorithm, state, attempt, file_size, file_checksum)
      select ${state.slice(0, 16)}, id, room_id, 2, 'x', 'text/plain', 'sha256', ${state}, 1, 1, 'ab'
      from messages where id = 1`)
  t.same(await seen(), [shared.id, mine.id], 'only what is Ready')
  await send(server, 'DELETE', `/v1/attachments/${mine.id}`, headers)
  t.same(await seen(), [shared.id], 'nothing that was deleted')
})
