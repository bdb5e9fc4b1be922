import t from 'tap'
import type { Scope } from '#domain/principal.ts'
import { attach, formWith, isBearerError, postForm } from '../../kit/bearer-api.ts'
import { send } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'

t.test('what each scope allows', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const owner = await server.bearer(2)
  const target = async () => `/v1/attachments/${(await attach(server, owner)).id}`
  await send(server, 'PUT', '/v1/users/50', await server.bearer(1, ['admin']))

  type Call = (headers: Record<string, string>) => Promise<Response>
  const calls: [string, Scope[], number, Call][] = [
    ['list', ['read'], 200, (headers) => send(server, 'GET', '/v1/attachments', headers)],
    ['retrieve', ['read'], 200, async (headers) => send(server, 'GET', await target(), headers)],
    ['create', ['write'], 201, (headers) => postForm(server, headers, formWith(new File(['x'], 'x')))],
    ['update', ['write'], 200, async (headers) => send(server, 'PUT', await target(), headers, { filename: 'y' })],
    ['delete', ['write', 'admin'], 204, async (headers) => send(server, 'DELETE', await target(), headers)],
    ['put a user', ['admin'], 200, (headers) => send(server, 'PUT', '/v1/users/51', headers)],
    ['put a room', ['admin'], 200, (headers) => send(server, 'PUT', '/v1/rooms/1', headers, { memberIds: [1, 2, 3] })],
    ['put a member', ['admin'], 200, (headers) => send(server, 'PUT', '/v1/rooms/1/members/50', headers)],
    ['delete a member', ['admin'], 204, (headers) => send(server, 'DELETE', '/v1/rooms/1/members/50', headers)],
    [
      'put a message',
      ['admin'],
      200,
      (headers) => send(server, 'PUT', '/v1/messages/1', headers, { roomId: 1, authorId: 1 }),
    ],
    ['mint a token', ['admin'], 201, (headers) => send(server, 'POST', '/v1/tokens', headers, { userId: 50 })],
    ['mint a session', ['admin'], 201, (headers) => send(server, 'POST', '/v1/sessions', headers, { userId: 50 })],
    ['delete a message', ['admin'], 404, (headers) => send(server, 'DELETE', '/v1/messages/77', headers)],
    ['delete a room', ['admin'], 404, (headers) => send(server, 'DELETE', '/v1/rooms/77', headers)],
    ['delete a user', ['admin'], 404, (headers) => send(server, 'DELETE', '/v1/users/77', headers)],
    ['revoke a token', ['admin'], 404, (headers) => send(server, 'DELETE', '/v1/tokens/7777', headers)],
    ['revoke a session', ['admin'], 404, (headers) => send(server, 'DELETE', '/v1/sessions/7777', headers)],
  ]
  for (const scope of ['read', 'write', 'admin'] as const) {
    const headers = await server.bearer(2, [scope])
    for (const [what, allowed, status, call] of calls) {
      const response = await call(headers)
      if (allowed.includes(scope)) t.equal(response.status, status, `${scope} may ${what}`)
      else await isBearerError(t, response, 403, 'permission_error', `${scope} may not ${what}`)
    }
  }
})

t.test('a token that may not write leaves nothing behind', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2, ['read', 'admin'])
  await isBearerError(t, await postForm(server, headers, formWith(new File(['x'], 'x'))), 403, 'permission_error')
  t.same(await server.states(), {})
  t.same(await server.remains(), { objects: [], uploads: [] })
})
