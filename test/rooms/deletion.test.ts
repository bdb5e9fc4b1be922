import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { attach, isBearerError, list, put } from '../kit/bearer-api.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { send } from '../kit/http-client.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

/** Every address of an attachment, and how each surface says that it is not there. */
async function addressesOf(server: TestServer, attachment: { id: string; file_url: string }, userId: number) {
  const [row] = await server.db.execute<{ id: string; file_name: string; message_id: string }>(sql`
    select id, file_name, message_id from attachments where public_id = ${attachment.id}`)
  const bearer = await server.bearer(userId)
  const cookie = await server.cookie(userId)
  return [
    { url: `${server.url}/v1/attachments/${attachment.id}`, headers: bearer },
    { url: attachment.file_url, headers: {} },
    { url: `${server.url}/api/v1/attachments/${row?.id}`, headers: cookie },
    { url: `${server.url}/api/v1/attachments/${row?.id}/${row?.file_name}`, headers: cookie },
  ]
}

type Address = { url: string; headers: Record<string, string> }

async function statuses(addresses: Address[]): Promise<number[]> {
  const responses = await Promise.all(addresses.map(({ url, headers }) => fetch(url, { headers })))
  await Promise.all(responses.map((response) => response.bytes()))
  return responses.map(({ status }) => status)
}

async function isGone(t: Test, server: TestServer, addresses: Address[], keptObjects: number): Promise<void> {
  t.same(await statuses(addresses), [404, 404, 404, 404], 'gone at once, everywhere')
  await until('the bytes are gone', async () => (await server.remains()).objects.length === keptObjects)
  t.same((await server.remains()).uploads, [])
}

for (const store of ['disk', 's3'] as const)
  t.test(
    `what goes with a message, a room and a user, on ${store}`,
    { skip: store === 's3' && skipWithoutS3 },
    async (t) => {
      const server = await startTestServer(t, { store })
      const admin = await server.bearer(1, ['admin'])
      const headers = await server.bearer(21)
      await put(server, '/v1/rooms/20', { memberIds: [21, 22] })
      await put(server, '/v1/messages/20', { roomId: 20, authorId: 21 })
      await put(server, '/v1/messages/29', { roomId: 20, authorId: 21 })
      const remove = async (path: string) => {
        const response = await send(server, 'DELETE', path, admin)
        t.equal(response.status, 204, `DELETE ${path}`)
        await isBearerError(t, await send(server, 'DELETE', path, admin), 404, 'not_found_error', `${path}, again`)
      }

      await t.test('a message', async (t) => {
        const one = await attach(server, headers, undefined, { message_id: '20' })
        const two = await attach(server, await server.bearer(22), undefined, { message_id: '20' })
        const other = await attach(server, headers, undefined, { message_id: '29' })
        const addresses = [await addressesOf(server, one, 21), await addressesOf(server, two, 21)]
        const others = await addressesOf(server, other, 21)
        t.same(await statuses(addresses.flat()), Array(8).fill(200))
        await remove('/v1/messages/20')
        for (const gone of addresses) await isGone(t, server, gone, 1)
        t.same(await statuses(others), [200, 200, 200, 200], 'other messages keep theirs')
        const late = await fetch(`${server.url}/api/v1/messages/20/attachments`, { headers: await server.cookie(21) })
        t.equal(late.status, 404)
        const again = await send(server, 'PUT', '/v1/messages/20', admin, { roomId: 20, authorId: 21 })
        await isBearerError(t, again, 409, 'conflict_error', 'its id is not used again')
      })

      await t.test('a room', async (t) => {
        const named = await attach(server, headers, undefined, { message_id: '29' })
        const ofStowage = await attach(server, headers, undefined, { conversation_id: '20' })
        const own = await attach(server, headers)
        const addresses = [await addressesOf(server, named, 21), await addressesOf(server, ofStowage, 21)]
        await remove('/v1/rooms/20')
        for (const gone of addresses) await isGone(t, server, gone, 1)
        t.same(
          (await list(server, headers)).data.map(({ id }) => id),
          [own.id],
          'other rooms keep theirs',
        )
        const again = await send(server, 'PUT', '/v1/rooms/20', admin, { memberIds: [21] })
        await isBearerError(t, again, 409, 'conflict_error', 'its id is not used again')
        await isBearerError(t, await send(server, 'PUT', '/v1/rooms/20/members/21', admin), 404, 'not_found_error')
        for (const id of [29, 30]) {
          const message = await send(server, 'PUT', `/v1/messages/${id}`, admin, { roomId: 20, authorId: 21 })
          await isBearerError(t, message, 404, 'not_found_error', `message ${id} in it`)
        }
      })

      await t.test('a user', async (t) => {
        await put(server, '/v1/rooms/24', { memberIds: [21, 22] })
        const own = await attach(server, headers)
        const shared = await attach(server, headers, undefined, { conversation_id: '24' })
        const others = await attach(server, await server.bearer(22), undefined, { conversation_id: '24' })
        const cookie = await server.cookie(21)
        t.equal((await fetch(own.file_url)).status, 200)
        const sharedAddresses = await addressesOf(server, shared, 22)
        t.same(await statuses(sharedAddresses), [200, 200, 200, 200])

        await remove('/v1/users/21')
        await isGone(t, server, sharedAddresses, 1)
        t.equal((await fetch(own.file_url)).status, 404)
        t.same(await statuses(await addressesOf(server, others, 22)), [200, 200, 200, 200], 'others keep theirs')
        await isBearerError(
          t,
          await send(server, 'GET', '/v1/attachments', headers),
          401,
          'authentication_error',
          'the token',
        )
        t.equal(
          (await fetch(`${server.url}/api/v1/messages/1/attachments`, { headers: cookie })).status,
          401,
          'the session',
        )
        const reuse: [string, string, unknown?][] = [
          ['PUT', '/v1/users/21'],
          ['PUT', '/v1/rooms/24/members/21'],
          ['PUT', '/v1/rooms/24', { memberIds: [21, 22] }],
          ['PUT', '/v1/messages/24', { roomId: 24, authorId: 21 }],
          ['POST', '/v1/tokens', { userId: 21 }],
          ['POST', '/v1/sessions', { userId: 21 }],
        ]
        for (const [method, path, json] of reuse)
          await isBearerError(
            t,
            await send(server, method, path, admin, json),
            409,
            'conflict_error',
            `${method} ${path}`,
          )
      })
    },
  )

t.test("a user's own conversation goes with the user alone", async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])
  const headers = await server.bearer(2)
  const { id } = await attach(server, headers)
  const { roomId } = await put(server, '/v1/users/2')
  await isBearerError(t, await send(server, 'DELETE', `/v1/rooms/${roomId}`, admin), 404, 'not_found_error')
  t.equal((await send(server, 'GET', `/v1/attachments/${id}`, headers)).status, 200)
  await attach(server, headers)
})

t.test('a room with more attachments than are deleted at a time', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  await server.db.execute(sql`
    insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type,
      file_checksum_algorithm, state, attempt, file_size, file_checksum)
    select 'many' || n, 1, 1, 2, 'x', 'text/plain', 'sha256', 'ReadyForDownloadFromServerToClient', 1, 1, 'ab'
    from generate_series(1, 20001) as n`)
  t.same(await server.states(), { ReadyForDownloadFromServerToClient: 20_001 })
  t.equal((await send(server, 'DELETE', '/v1/rooms/1', await server.bearer(1, ['admin']))).status, 204)
  await until('all of them are deleted', async () => Object.keys(await server.states()).length === 0)
})
