import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, formOf, type RawBody, typeOf, unfinishedForm } from '../../kit/multipart.ts'
import { beginRaw, openRequest, readAnswer } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { beginForm } from '../../kit/slow-upload.ts'
import { cookieApi, type Surface, surfaces } from '../../kit/surfaces.ts'
import { delayPuts } from '../slow-store.ts'
import { leftOnly, takesUploads, uploadFailed } from './remains.ts'

const text = /No byte arrived for 1 s/
/** How far a client comes before it falls silent, and whether a file has begun by then. */
const silences: { what: string; form(surface: Surface): RawBody; hasBegun: boolean }[] = [
  { what: 'before its body', form: () => ({ headers: typeOf('b'), body: Buffer.alloc(0) }), hasBegun: false },
  { what: 'before a file', form: () => unfinishedForm([], (b) => `--${b}\r\nContent-Disp`), hasBegun: false },
  {
    what: 'within a file',
    form: (surface) => unfinishedForm([], (b) => `--${b}\r\n${filePart(surface).headers}\r\n\r\nbegun`),
    hasBegun: true,
  },
  { what: 'after the closing boundary', form: (surface) => formOf(filePart(surface)), hasBegun: true },
]

async function isAnswered(t: Test, server: TestServer, surface: Surface, what: string, { headers, body }: RawBody) {
  const credentials = await surface.credentials(server, 1)
  const socket = beginRaw(server.url, surface.path, { headers: { ...headers, ...credentials }, body }, 1000)
  const answer = await readAnswer(socket)
  t.pass(`${surface.name}, silent ${what}: the server has answered and ended the connection`)
  surface.isError(t, answer, 408, text)
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`a client that falls silent is told so, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const all = surfaces.flatMap((surface) => silences.map((silence) => ({ surface, ...silence })))
    const env = {
      MAX_CONCURRENT_UPLOADS: String(all.length),
      UPLOADS_PER_USER: String(all.length),
      UPLOAD_IDLE_SECONDS: '1',
    }
    const server = await startTestServer(t, { store, env })
    await Promise.all(all.map(({ surface, what, form }) => isAnswered(t, server, surface, what, form(surface))))
    const failed = { state: uploadFailed, failureReason: text }
    await leftOnly(t, server, 0, Array(all.filter(({ hasBegun }) => hasBegun).length).fill(failed))
    for (const surface of surfaces) await takesUploads(t, server, surface)
  })
}

t.test('a body that is no upload may not stop coming either', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_IDLE_SECONDS: '1' } })
  const { authorization } = await server.bearer(1)
  const json = { authorization, 'content-type': 'application/json', 'content-length': 10 }
  for (const beginning of ['', '{']) {
    const socket = openRequest(server.url, 'POST', '/api/v1/session', json)
    socket.write(beginning)
    cookieApi.isError(t, await readAnswer(socket), 408, text)
  }
  const slow = openRequest(server.url, 'POST', '/api/v1/session', { ...json, connection: 'close' })
  for (const piece of ['{"a"', ':', '"bc', '"}']) {
    slow.write(piece)
    // The time is the subject here: the silences add up to more than the limit.
    await delay(400)
  }
  t.equal((await readAnswer(slow)).status, 200)
})

t.test('a client that sends a byte now and then is not idle', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_IDLE_SECONDS: '1' } })
  const form = beginForm(server.url, cookieApi.path, cookieApi.fileField, await server.cookie(1))
  for (let sent = 0; sent < 8; sent++) {
    // The time is the subject here: the silences add up to more than the limit.
    await delay(300)
    await form.send(Buffer.from('x'))
  }
  t.equal((await form.finish()).status, 200)
})

t.test('a client that is held back by a slow store is not idle', async (t) => {
  const server = await startTestServer(t, {
    store: 'disk',
    env: { UPLOAD_IDLE_SECONDS: '1' },
    // The time is the subject here: the store takes nothing for longer than the limit.
    wrapStore: delayPuts(2500),
  })
  const form = beginForm(server.url, cookieApi.path, cookieApi.fileField, await server.cookie(1))
  await form.send(Buffer.alloc(16 * 2 ** 20))
  t.equal((await form.finish()).status, 200)
})
