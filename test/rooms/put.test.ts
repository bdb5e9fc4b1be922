import t from 'tap'
import { attach, isBearerError, list, put } from '../kit/bearer-api.ts'
import { readJson, send } from '../kit/http-client.ts'
import { startTestServer } from '../kit/server.ts'

const publicId = /^[a-zA-Z0-9]{16}$/

t.test('users, rooms, members and messages', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])

  await t.test('both ids in every answer, the same every time', async (t) => {
    const user = await put(server, '/v1/users/40')
    t.same(Object.keys(user).sort(), ['conversation_id', 'roomId', 'userId'])
    t.equal(user.userId, 40)
    t.ok(Number.isSafeInteger(user.roomId) && user.roomId >= 2 ** 52, "a room of Stowage's own")
    t.match(user.conversation_id, publicId)
    t.same(await put(server, '/v1/users/40'), user)
    t.same(await put(server, '/v1/users/40', {}), user, 'with a body that says nothing')

    const room = await put(server, '/v1/rooms/40', { memberIds: [40, 41], moderatorIds: [42] })
    t.same(Object.keys(room).sort(), ['conversation_id', 'roomId'])
    t.equal(room.roomId, 40)
    t.match(room.conversation_id, publicId)
    t.same(await put(server, '/v1/rooms/40', { memberIds: [40, 41], moderatorIds: [42] }), room)

    const member = await put(server, '/v1/rooms/40/members/43')
    t.same(member, { ...room, userId: 43, moderator: false })
    t.same(await put(server, '/v1/rooms/40/members/43', {}), member)
    t.same(await put(server, '/v1/rooms/40/members/43', { moderator: true }), { ...member, moderator: true })

    const message = await put(server, '/v1/messages/40', { roomId: 40, authorId: 40 })
    t.same(Object.keys(message).sort(), ['messageId', 'message_id'])
    t.equal(message.messageId, 40)
    t.match(message.message_id, publicId)
    t.same(await put(server, '/v1/messages/40', { roomId: 40, authorId: 40 }), message)
    t.equal(new Set([user, room, message].map((ids) => ids.message_id ?? ids.conversation_id)).size, 3)
  })

  await t.test('who is in the room decides who may', async (t) => {
    await put(server, '/v1/rooms/60', { memberIds: [61, 62], moderatorIds: [63] })
    const upload = async () => attach(server, await server.bearer(61), undefined, { conversation_id: '60' })
    const path = `/v1/attachments/${(await upload()).id}`
    const status = async (userId: number, method = 'GET') =>
      (await send(server, method, path, await server.bearer(userId))).status
    t.same([await status(61), await status(62), await status(63), await status(64)], [200, 200, 200, 404])

    await put(server, '/v1/rooms/60/members/64')
    t.equal(await status(64), 200, 'a new member')
    t.equal(await status(64, 'DELETE'), 403, 'who is no moderator')
    const gone = await send(server, 'DELETE', '/v1/rooms/60/members/62', admin)
    t.equal(gone.status, 204)
    t.equal(await status(62), 404, 'a member who was taken out, at once')
    t.same((await list(server, await server.bearer(62))).data, [])
    await isBearerError(t, await send(server, 'DELETE', '/v1/rooms/60/members/62', admin), 404, 'not_found_error')

    await put(server, '/v1/rooms/60', { memberIds: [62, 64], moderatorIds: [] })
    t.same([await status(61), await status(62), await status(63), await status(64)], [404, 200, 404, 200])
    t.equal((await list(server, await server.bearer(62))).data.length, 1, 'what they uploaded stays')
    await put(server, '/v1/rooms/60/members/64', { moderator: true })
    await put(server, '/v1/rooms/60/members/64')
    t.equal(await status(64, 'DELETE'), 403, 'no moderator any more')
    await put(server, '/v1/rooms/60/members/64', { moderator: true })
    t.equal(await status(64, 'DELETE'), 204, 'a moderator')

    await put(server, '/v1/rooms/60', { memberIds: [] })
    t.same((await list(server, await server.bearer(62))).data, [], 'nobody is left')
  })

  await t.test('moderators are members, named twice or not', async (t) => {
    await put(server, '/v1/rooms/70', { memberIds: [71, 71, 72], moderatorIds: [72, 73, 73] })
    const { id } = await attach(server, await server.bearer(71), undefined, { conversation_id: '70' })
    for (const userId of [72, 73]) {
      const response = await send(server, 'PUT', `/v1/attachments/${id}`, await server.bearer(userId), {
        filename: 'x',
      })
      t.equal(response.status, 200, `${userId} moderates`)
    }
  })

  await t.test('a message stays in its room', async (t) => {
    await put(server, '/v1/rooms/80', { memberIds: [81] })
    await put(server, '/v1/rooms/81', { memberIds: [81] })
    const message = await put(server, '/v1/messages/80', { roomId: 80, authorId: 81 })
    const moved = await send(server, 'PUT', '/v1/messages/80', admin, { roomId: 81, authorId: 81 })
    await isBearerError(t, moved, 409, 'conflict_error')
    t.same(await put(server, '/v1/messages/80', { roomId: 80, authorId: 81 }), message)
  })

  await t.test('what is named must be there', async (t) => {
    const unknownRoom = await send(server, 'PUT', '/v1/messages/90', admin, { roomId: 900, authorId: 1 })
    await isBearerError(t, unknownRoom, 404, 'not_found_error')
    await isBearerError(t, await send(server, 'PUT', '/v1/rooms/900/members/1', admin), 404, 'not_found_error')
    await isBearerError(t, await send(server, 'DELETE', '/v1/rooms/900/members/1', admin), 404, 'not_found_error')
    const { roomId } = await put(server, '/v1/users/1')
    const owned = await readJson<{ message: string }>(
      await send(server, 'DELETE', `/v1/rooms/${roomId}/members/1`, admin),
    )
    t.equal(owned.message, 'Room not found', "users' own conversations are not the backend's to manage")
  })
})
