import t from 'tap'
import { StowageError } from '#domain/errors.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { attach, formWith, isBearerError, postForm } from '../../kit/bearer-api.ts'
import { send } from '../../kit/http-client.ts'
import { startReplica } from '../../kit/replica.ts'
import { startTestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'

t.test('the database is down', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2, ['read', 'write', 'admin'])
  const { id, file_url } = await attach(server, headers)
  const replica = await startReplica(t, server)
  const there = { ...server, url: replica.url }
  t.equal((await send(there, 'GET', '/v1/attachments', headers)).status, 200)

  replica.line.refuse()
  const requests: [string, string, unknown?][] = [
    ['GET', '/v1/attachments'],
    ['GET', `/v1/attachments/${id}`],
    ['PUT', `/v1/attachments/${id}`, { filename: 'x' }],
    ['DELETE', `/v1/attachments/${id}`],
    ['PUT', '/v1/rooms/5', { memberIds: [1] }],
    ['PUT', '/v1/users/5'],
    ['POST', '/v1/tokens', { userId: 1 }],
    ['GET', file_url.slice(file_url.indexOf('/files/'))],
  ]
  const isOutage = async (response: Response, what: string) => {
    t.match(response.headers.get('retry-after'), /^\d+$/, `${what}: Retry-After`)
    const error = await isBearerError(t, response, 503, 'storage_error', what)
    t.match(error.message, /database/)
  }
  for (const [method, path, json] of requests)
    await isOutage(await send(there, method, path, headers, json), `${method} ${path}`)
  await isOutage(await postForm(there, headers, formWith(new File(['x'], 'x'))), 'an upload')
  t.same(await server.states(), { ReadyForDownloadFromServerToClient: 1 })
  t.equal((await server.remains()).objects.length, 1)

  replica.line.mend()
  await until('it works again', async () => (await send(there, 'GET', '/v1/attachments', headers)).ok)
  await attach(there, headers)
})

t.test('the store is down', async (t) => {
  const down = async () => {
    throw new StowageError('storage_unavailable', 'The object store does not answer as it should. Try again.')
  }
  let isDown = false
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    put: (...args) => (isDown ? down() : store.put(...args)),
    get: (...args) => (isDown ? down() : store.get(...args)),
    remove: (...args) => (isDown ? down() : store.remove(...args)),
  })
  const server = await startTestServer(t, { store: 'disk', wrapStore, env: { UPLOAD_LEASE_SECONDS: '3' } })
  const headers = await server.bearer(2)
  const { id, file_url } = await attach(server, headers)
  isDown = true
  for (const [what, response] of [
    ['upload', await postForm(server, headers, formWith(new File(['x'], 'x')))],
    ['download', await fetch(file_url)],
  ] as const) {
    t.match(response.headers.get('retry-after'), /^\d+$/)
    await isBearerError(t, response, 503, 'storage_error', what)
  }
  t.same(await server.states(), { ReadyForDownloadFromServerToClient: 1, UploadFromClientToServerFailed: 1 })
  t.equal((await send(server, 'GET', `/v1/attachments/${id}`, headers)).status, 200, 'metadata needs no store')
  t.equal((await send(server, 'DELETE', `/v1/attachments/${id}`, headers)).status, 204, 'nor does a deletion')
  await isBearerError(t, await fetch(file_url), 404, 'not_found_error', 'which hides the file at once')
  t.equal((await server.remains()).objects.length, 1)
  isDown = false
  await until('the bytes go when the store is back', async () => (await server.remains()).objects.length === 0)
})
