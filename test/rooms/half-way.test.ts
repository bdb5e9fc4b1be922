import postgres from 'postgres'
import t from 'tap'
import { attach, formWith, isBearerError, list, postForm, put } from '../kit/bearer-api.ts'
import { send } from '../kit/http-client.ts'
import { startTestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

t.test('a deletion whose server died half-way', async (t) => {
  // The purge looks around more often than by default.
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_LEASE_SECONDS: '3' } })
  const admin = await server.bearer(1, ['admin'])
  const headers = await server.bearer(20)
  for (const [table, path] of [
    ['messages', '/v1/messages/20'],
    ['rooms', '/v1/rooms/20'],
  ] as const)
    await t.test(`of ${table}`, async (t) => {
      await put(server, '/v1/rooms/20', { memberIds: [20] })
      await put(server, `/v1/messages/${table === 'rooms' ? 21 : 20}`, { roomId: 20, authorId: 20 })
      const place = table === 'rooms' ? { conversation_id: '20' } : { message_id: '20' }
      const { id, file_url } = await attach(server, headers, undefined, place)
      await server.db.execute(`update ${table} set deleted_at = now() where id = 20`)

      await isBearerError(t, await send(server, 'GET', `/v1/attachments/${id}`, headers), 404, 'not_found_error')
      await isBearerError(t, await fetch(file_url), 404, 'not_found_error', 'file_url')
      t.same((await list(server, headers)).data, [], 'hidden already')
      t.equal((await server.remains()).objects.length, 1)
      await isBearerError(t, await send(server, 'DELETE', path, admin), 404, 'not_found_error', 'deleted again')
      await until('the bytes are gone', async () => (await server.remains()).objects.length === 0)
    })
})

t.test('an upload that comes while a deletion is not yet committed', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const database = postgres(server.databaseUrl, { max: 1, onnotice: () => {} })
  t.teardown(() => database.end())
  await put(server, '/v1/rooms/20', { memberIds: [20] })
  await put(server, '/v1/messages/20', { roomId: 20, authorId: 20 })
  await put(server, '/v1/messages/21', { roomId: 20, authorId: 20 })
  const headers = await server.bearer(20)
  for (const [table, id, place] of [
    ['messages', 20, { message_id: '20' }],
    ['rooms', 20, { message_id: '21' }],
    ['users', 20, {}],
  ] as const)
    await t.test(`of ${table}`, async (t) => {
      let isAnswered = false
      const upload = await database.begin(async (transaction) => {
        await transaction`update ${transaction(table)} set deleted_at = now() where id = ${id}`
        const answer = postForm(server, headers, formWith(new File(['x'], 'x'), place)).finally(() => {
          isAnswered = true
        })
        await until('the upload waits for the deletion', async () => {
          const waiting = await transaction`
            select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
          return isAnswered || waiting.length > 0
        })
        t.notOk(isAnswered, 'it is not decided before the deletion is')
        return { answer }
      })
      await isBearerError(t, await upload.answer, 404, 'not_found_error')
      t.same(await server.states(), {})
      t.same(await server.remains(), { objects: [], uploads: [] })
    })
})
