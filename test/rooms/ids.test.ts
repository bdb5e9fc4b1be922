import { sql } from 'drizzle-orm'
import t from 'tap'
import { isBearerError, put } from '../kit/bearer-api.ts'
import { send } from '../kit/http-client.ts'
import { startTestServer } from '../kit/server.ts'

const notAnId = [
  '0',
  '-1',
  '1.5',
  '1e3',
  '01',
  '+1',
  'abc',
  '%20',
  '1%00',
  '٣',
  `${'9'.repeat(15)}.0`,
  '4503599627370496',
  '9007199254740992',
  '9'.repeat(30),
]
const notAnIdInJson = [0, -1, 1.5, 2 ** 52, 2 ** 53, 1e30, '1', '', null, true, [1], {}]

t.test('ids that are none', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const admin = await server.bearer(1, ['admin'])
  const rows = async () => {
    const [row] = await server.db.execute(sql`
      select (select count(*) from users) as users, (select count(*) from rooms) as rooms,
        (select count(*) from messages) as messages, (select count(*) from members) as members`)
    return row
  }
  const before = await rows()
  const refused = async (response: Response, what: string) =>
    isBearerError(t, response, 400, 'invalid_request_error', what)

  for (const id of notAnId) {
    const puts: [string, unknown?][] = [
      [`/v1/users/${id}`],
      [`/v1/rooms/${id}`, { memberIds: [1] }],
      [`/v1/messages/${id}`, { roomId: 1, authorId: 1 }],
      [`/v1/rooms/${id}/members/1`],
      [`/v1/rooms/1/members/${id}`],
    ]
    for (const [path, json] of puts) await refused(await send(server, 'PUT', path, admin, json), `PUT ${path}`)
  }
  for (const id of notAnIdInJson) {
    const bodies: [string, string, unknown][] = [
      ['PUT', '/v1/rooms/1', { memberIds: [1, id] }],
      ['PUT', '/v1/rooms/1', { memberIds: [1], moderatorIds: [id] }],
      ['PUT', '/v1/messages/5', { roomId: id, authorId: 1 }],
      ['PUT', '/v1/messages/5', { roomId: 1, authorId: id }],
      ['POST', '/v1/tokens', { userId: id }],
      ['POST', '/v1/sessions', { userId: id }],
    ]
    for (const [method, path, json] of bodies)
      await refused(await send(server, method, path, admin, json), `${path} ${JSON.stringify(json)}`)
  }
  const otherwise: [string, string, unknown][] = [
    ['PUT', '/v1/rooms/1', {}],
    ['PUT', '/v1/rooms/1', { memberIds: 1 }],
    ['PUT', '/v1/rooms/1', { memberIds: '1' }],
    ['PUT', '/v1/rooms/1', { memberIds: Array.from({ length: 10_001 }, (_, i) => i + 1) }],
    ['PUT', '/v1/rooms/1/members/1', { moderator: 'true' }],
    ['PUT', '/v1/rooms/1/members/1', { moderator: null }],
    ['PUT', '/v1/messages/5', { roomId: 1 }],
    ['PUT', '/v1/messages/5', { authorId: 1 }],
  ]
  for (const [method, path, json] of otherwise)
    await refused(await send(server, method, path, admin, json), `${path} ${JSON.stringify(json).slice(0, 60)}`)
  t.same(await rows(), before, 'nothing was written')

  const places = ['users', 'rooms', 'messages', 'tokens', 'sessions'].map((name) => `/v1/${name}/`)
  for (const place of [...places, '/v1/rooms/1/members/'])
    for (const id of notAnId) {
      const response = await send(server, 'DELETE', place + id, admin)
      await isBearerError(t, response, 404, 'not_found_error', `DELETE ${place}${id}: there is no such thing`)
    }
})

t.test('the largest ids of the backend', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const largest = 2 ** 52 - 1
  t.match(await put(server, `/v1/users/${largest}`), { userId: largest })
  t.match(await put(server, `/v1/rooms/${largest}`, { memberIds: [largest] }), { roomId: largest })
  t.match(await put(server, `/v1/messages/${largest}`, { roomId: largest, authorId: largest }), { messageId: largest })
})
