import t, { type Test } from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { isError, Session, textFile } from '../../kit/cookie-api.ts'
import { openRequest, readAnswer, sendRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'

/** As it goes over the wire: fetch would correct it. */
async function ask({ url }: TestServer, method: string, path: string, headers: Record<string, string> = {}, body = '') {
  const answer = await sendRaw(url, method, path, { headers, body: Buffer.from(body) })
  const { status, headers: answered, body: text } = answer
  return new Response(text, { status, headers: answered })
}

t.test('an address that is none', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { headers } = await Session.of(server, 1)
  for (const path of ['', '/', '/nothing', '/attachments/1/a/b', '/messages/1', '/rooms/1', '/%7e', '/../..']) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE'])
      for (const credentials of [headers, {}])
        await isError(t, await ask(server, method, `/api/v1${path}`, credentials), 404, /nothing at this address/)
  }
})

t.test('an address that cannot be decoded', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const path of ['%', '%zz', '%e6%97', '%ff', '%c0%ae', '1/%', '1/%e6%97', '1/a%2'])
    await isError(t, await ask(server, 'GET', `/api/v1/attachments/${path}`), 400, /not validly percent-encoded/)
  await isError(t, await ask(server, 'POST', '/api/v1/messages/%/attachments', {}, 'body'), 400, /percent-encoded/)
})

t.test('a method that an address does not take', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const [path, allow] of [
    ['/session', 'DELETE, POST'],
    ['/attachments', 'POST'],
    ['/attachments/1', 'DELETE, GET, HEAD, PATCH'],
    ['/attachments/1/a.txt', 'GET, HEAD, PUT'],
    ['/messages/1/attachments', 'GET, HEAD, POST'],
  ] as const) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((name) => !allow.includes(name))) {
      const response = await ask(server, method, `/api/v1${path}`, {}, 'whatever it is')
      t.equal(response.headers.get('allow'), allow, `${method} ${path}`)
      await isError(t, response, 405, /takes .* only/)
    }
  }
})

t.test('a body that cannot be read', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { headers } = await Session.of(server, 1)
  const json = { ...headers, 'content-type': 'application/json' }
  for (const body of ['{', 'nothing', '{"a":1}}', '{"__proto__":{"a":1}}'])
    await isError(t, await ask(server, 'DELETE', '/api/v1/attachments/1', json, body), 400, /valid JSON/)
  const { authorization } = await server.bearer(1)
  const token = { authorization, 'content-type': 'application/json' }
  await isError(t, await ask(server, 'POST', '/api/v1/session', token, '{'), 400, /valid JSON/)
  await isError(t, await ask(server, 'POST', '/api/v1/session', token, `"${'a'.repeat(2 ** 21)}"`), 413, /too large/)
  const other = { authorization, 'content-type': 'image/png' }
  await isError(t, await ask(server, 'POST', '/api/v1/session', other, 'png'), 415, /Content-Type/)
  for (const type of ['application/json', 'text/plain;charset=UTF-8']) {
    const empty = { authorization, 'content-type': type, 'content-length': '0' }
    const { status } = await ask(server, 'POST', '/api/v1/session', empty)
    t.equal(status, 200, 'no body at all is no bad body, whatever its type')
  }
})

t.test('a body whose transfer coding breaks', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { headers } = await Session.of(server, 1)
  for (const [method, path, type] of [
    ['DELETE', '/api/v1/attachments/1', 'application/json'],
    ['POST', '/api/v1/messages/1/attachments', 'multipart/form-data; boundary=b'],
  ] as const) {
    const all = { ...headers, 'content-type': type, 'transfer-encoding': 'chunked' }
    const socket = openRequest(server.url, method, path, all)
    socket.write('3\r\n--b\r\nzz\r\n')
    const { status, headers: answered, body } = await readAnswer(socket)
    await isError(t, new Response(body, { status, headers: answered }), 400, /broke off|closed before the last byte/)
  }
  t.strictSame(await server.states(), {})
})

t.test('what is not HTTP has no surface: a plain answer, and the connection ends', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const [method, path, headers, status] of [
    ['NONSENSE', '/api/v1/attachments/1', {}, 400],
    ['GET', '/api/v1/attachments/1 2', {}, 400],
    ['GET', `/api/v1/attachments/${'a'.repeat(20_000)}`, {}, 431],
    ['GET', '/api/v1/attachments/1', { cookie: 'a'.repeat(20_000) }, 431],
    ['POST', '/api/v1/session', { 'content-length': '1', 'transfer-encoding': 'chunked' }, 400],
  ] as const) {
    const response = await ask(server, method, path, headers)
    t.equal(response.status, status, path.slice(0, 40))
    t.equal(response.headers.get('content-type'), 'text/plain')
    t.match(await response.text(), /^[A-Z][\w ]+\.( [A-Z][\w ]+\.)?$/)
  }
})

const secrets = /secret|select|bucket|ab\/cdef|postgres|\.ts|node_modules| at /

async function tellsNothing(t: Test, response: Response): Promise<void> {
  t.notMatch(JSON.stringify([...response.headers]), secrets)
  t.notMatch(await response.clone().text(), secrets)
  await isError(t, response, 500, /^The server failed\. Try again later\.$/)
}

for (const thrown of [
  new Error('secret at bucket/ab/cdef: select * from objects'),
  Object.assign(new Error('secret'), { statusCode: 404, code: 'SECRET' }),
  new TypeError('secret is not a function'),
]) {
  t.test(`a crash tells nothing of the inside: ${thrown.name}`, async (t) => {
    const fail = { put: false, get: false }
    const failing = (store: ObjectStore): ObjectStore => ({
      ...store,
      async put(...args) {
        if (fail.put) throw thrown
        return store.put(...args)
      },
      async get(...args) {
        if (fail.get) throw thrown
        return store.get(...args)
      },
    })
    const server = await startTestServer(t, { store: 'disk', wrapStore: failing })
    const session = await Session.of(server, 2)
    const [id = 0] = await session.upload(textFile())
    fail.put = true
    fail.get = true
    await tellsNothing(t, await session.post([textFile()]))
    await tellsNothing(t, await session.download(id, 'a.txt'))
    const [, failed] = await session.list()
    t.match(failed, { failureReason: 'The server failed while the file arrived.' })
  })
}
