import { sql } from 'drizzle-orm'
import t from 'tap'
import { formWith, isBearerError, postForm } from '../../kit/bearer-api.ts'
import { send } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'

const anId = 'A'.repeat(16)

/** Every route of this surface, and the methods it takes. */
const routes: Record<string, string[]> = {
  '/v1/attachments': ['GET', 'HEAD', 'POST'],
  [`/v1/attachments/${anId}`]: ['DELETE', 'GET', 'HEAD', 'PUT'],
  '/v1/users/5': ['DELETE', 'PUT'],
  '/v1/rooms/5': ['DELETE', 'PUT'],
  '/v1/rooms/1/members/5': ['DELETE', 'PUT'],
  '/v1/messages/5': ['DELETE', 'PUT'],
  '/v1/tokens': ['POST'],
  '/v1/tokens/5': ['DELETE'],
  '/v1/sessions': ['POST'],
  '/v1/sessions/5': ['DELETE'],
}

t.test('what never reaches a handler', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2, ['read', 'write', 'admin'])
  const raw = (method: string, path: string, body: string, type = 'application/json') =>
    fetch(server.url + path, { method, headers: { ...headers, 'content-type': type }, body })

  await t.test('401 on every route, before anything else is looked at', async (t) => {
    for (const [path, methods] of Object.entries(routes))
      for (const method of methods) {
        const response = await send(server, method, path, { authorization: 'Bearer unknown' })
        t.equal(response.headers.get('www-authenticate'), 'Bearer')
        if (method === 'HEAD') t.equal(response.status, 401)
        else await isBearerError(t, response, 401, 'authentication_error', `${method} ${path}`)
      }
    const { authorization } = headers
    const bad = [
      '',
      'Bearer',
      'Bearer ',
      authorization?.slice(7),
      `Basic ${authorization?.slice(7)}`,
      `${authorization}x`,
    ]
    for (const wrong of bad) {
      const response = await send(server, 'GET', '/v1/attachments', { authorization: wrong ?? '' })
      await isBearerError(t, response, 401, 'authentication_error', wrong)
    }
    const cookie = await server.cookie(2)
    await isBearerError(
      t,
      await send(server, 'GET', '/v1/attachments', cookie),
      401,
      'authentication_error',
      'a cookie',
    )
    const lowerCase = { authorization: authorization?.replace('Bearer', 'bearer') ?? '' }
    t.equal((await send(server, 'GET', '/v1/attachments', lowerCase)).status, 200, 'a scheme has no case')
  })

  await t.test('404 for unknown routes', async (t) => {
    for (const path of [
      '/',
      '/v1',
      '/v1/',
      '/v1/nope',
      '/v2/attachments',
      `/v1/attachments/${anId}/x`,
      '/v1/rooms',
      '/nope',
    ])
      for (const method of ['GET', 'POST', 'DELETE'])
        await isBearerError(t, await send(server, method, path, headers), 404, 'not_found_error', `${method} ${path}`)
    const long = await send(server, 'GET', `/v1/attachments/${'A'.repeat(4000)}`, headers)
    await isBearerError(t, long, 404, 'not_found_error', 'a long id')
  })

  await t.test('405 with Allow', async (t) => {
    for (const [path, methods] of Object.entries(routes))
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        if (methods.includes(method)) continue
        const response = await send(server, method, path, headers)
        t.equal(response.headers.get('allow'), methods.join(', '), `${method} ${path}: Allow`)
        await isBearerError(t, response, 405, 'invalid_request_error', `${method} ${path}`)
      }
  })

  await t.test('400 for addresses and bodies that cannot be read', async (t) => {
    for (const path of ['/v1/attachments/%zz', '/v1/attachments/%C3%28', '/v1/%'])
      await isBearerError(t, await send(server, 'GET', path, headers), 400, 'invalid_request_error', path)
    const bodies = ['{', '{"filename":', 'nonsense', '{"a":1}x', '{"__proto__":{"x":1}}', '\0', '{"filename":"\ud800"']
    for (const body of bodies)
      for (const [method, path] of [
        ['PUT', `/v1/attachments/${anId}`],
        ['PUT', '/v1/rooms/5'],
        ['POST', '/v1/tokens'],
      ] as const)
        await isBearerError(t, await raw(method, path, body), 400, 'invalid_request_error', `${path} ${body}`)
  })

  await t.test('400 for JSON of another kind than documented', async (t) => {
    for (const body of ['null', '[]', '[{}]', '1', '"x"', 'true'])
      for (const path of [`/v1/attachments/${anId}`, '/v1/rooms/5', '/v1/rooms/1/members/5', '/v1/messages/5'])
        await isBearerError(t, await raw('PUT', path, body), 400, 'invalid_request_error', `${path} ${body}`)
    for (const path of ['/v1/tokens', '/v1/sessions'])
      for (const body of ['', 'null', '[]', '{}', '1'])
        await isBearerError(t, await raw('POST', path, body), 400, 'invalid_request_error', `${path} ${body}`)
  })

  await t.test('413 for JSON without end', async (t) => {
    const response = await raw('PUT', `/v1/attachments/${anId}`, JSON.stringify({ filename: 'x'.repeat(2 ** 21) }))
    await isBearerError(t, response, 413, 'invalid_request_error')
  })

  await t.test('415 for other kinds of body', async (t) => {
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'application/pdf']) {
      const response = await raw('POST', '/v1/attachments', type === 'application/json' ? '{}' : 'x', type)
      await isBearerError(t, response, 415, 'invalid_request_error', type)
    }
    for (const [method, path] of [
      ['PUT', `/v1/attachments/${anId}`],
      ['PUT', '/v1/rooms/5'],
      ['POST', '/v1/tokens'],
    ] as const)
      for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x'])
        await isBearerError(t, await raw(method, path, 'x', type), 415, 'invalid_request_error', `${path} ${type}`)
  })
  t.same(await server.states(), {})
})

t.test('403, 409, 413 of the service', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILE_SIZE: '10' } })
  const admin = await server.bearer(1, ['admin'])
  await isBearerError(t, await send(server, 'GET', '/v1/attachments', admin), 403, 'permission_error')
  await send(server, 'PUT', '/v1/users/5', admin)
  t.equal((await send(server, 'DELETE', '/v1/users/5', admin)).status, 204)
  await isBearerError(t, await send(server, 'PUT', '/v1/users/5', admin), 409, 'conflict_error')

  const headers = await server.bearer(2)
  const fits = await postForm(server, headers, formWith(new File(['0123456789'], 'x')))
  t.equal(fits.status, 201, 'at the limit')
  const large = await postForm(server, headers, formWith(new File(['0123456789a'], 'x')))
  await isBearerError(t, large, 413, 'invalid_request_error', 'one byte over the limit')
})

t.test('500 for a crash, which tells nothing of how we work', async (t) => {
  const server = await startTestServer(t, {
    store: 'disk',
    wrapStore: (store) => ({
      ...store,
      put: async () => {
        throw new TypeError('secret-bucket/secret-key')
      },
    }),
  })
  const headers = await server.bearer(2)
  const upload = await postForm(server, headers, formWith(new File(['x'], 'x')))
  const crash = await isBearerError(t, upload, 500, 'api_error', 'in the store')
  t.notMatch(JSON.stringify(crash), /secret|TypeError|at /)
  t.same(await server.states(), { UploadFromClientToServerFailed: 1 })

  await server.db.execute(sql`alter table attachments rename column state to secret_state`)
  for (const path of ['/v1/attachments', `/v1/attachments/${anId}`]) {
    const query = await isBearerError(t, await send(server, 'GET', path, headers), 500, 'api_error', 'in a query')
    t.notMatch(JSON.stringify(query), /secret|select|file_name|column/i)
  }
})
