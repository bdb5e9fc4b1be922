import { once } from 'node:events'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, type RawBody, typeOf, unfinishedForm } from '../../kit/multipart.ts'
import { exchangeBytes, openRequest, type RawHeaders, readAnswer } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { type Surface, surfaces } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { type FailedRow, leftOnly, newestId, takesUploads, uploadFailed } from './remains.ts'

const mebibyte = 2 ** 20
const more = Buffer.alloc(mebibyte)
const unreadable = /headers of a part cannot be read/

/** What the server refuses before it has read the body. */
interface Early {
  what: string
  credentials?: Record<string, string>
  form(surface: Surface): RawBody
  status: number
  text: RegExp
  leaves?: FailedRow[]
}

const begunFile = (surface: Surface, body: Buffer) =>
  unfinishedForm([], (b) => `--${b}\r\n${filePart(surface).headers}\r\n\r\n${body}`)

const early: Early[] = [
  {
    what: 'no credentials',
    credentials: {},
    form: (surface) => begunFile(surface, more),
    status: 401,
    text: /Wrong Bearer|token is missing/,
  },
  {
    what: 'not a form',
    form: () => ({ headers: { 'content-type': 'image/png' }, body: more }),
    status: 415,
    text: /multipart|Content-Type/,
  },
  {
    what: 'a file under another name',
    form: (surface) => begunFile({ ...surface, fileField: 'upload' }, more),
    status: 400,
    text: /Name the field/,
  },
  {
    what: 'a part that cannot be read, after a file',
    form: (surface) =>
      unfinishedForm([filePart(surface, Buffer.alloc(mebibyte / 2)), { headers: 'X-A: b', body: more }]),
    status: 400,
    text: unreadable,
    leaves: [{ state: uploadFailed, failureReason: unreadable }],
  },
  {
    what: 'a file that is too large',
    form: (surface) => begunFile(surface, Buffer.alloc(2 * mebibyte, 'x')),
    status: 413,
    text: /larger than 1048576 bytes/,
    leaves: [{ state: uploadFailed, failureReason: /larger than 1048576 bytes/ }],
  },
]

/** A request whose client goes on sending, whatever the server does with its own side of the connection. */
const openStubborn = (url: string, path: string, headers: RawHeaders) =>
  openRequest(url, 'POST', path, headers, { allowHalfOpen: true })

async function readsAnswer(t: Test, server: TestServer, surface: Surface, refusal: Early, connection: string) {
  const before = await newestId(server)
  const { headers, body } = refusal.form(surface)
  const credentials = refusal.credentials ?? (await surface.credentials(server, 1))
  const all = { ...credentials, ...headers, connection, 'content-length': body.length + 100 * mebibyte }
  const socket = openStubborn(server.url, surface.path, all)
  const errors: Error[] = []
  socket.on('error', (error) => errors.push(error))
  socket.write(body)
  await once(socket, 'readable')
  for (let sent = 0; sent < 20; sent++) await new Promise((resolve) => socket.write(more, resolve))
  t.strictSame(errors, [], 'no reset while the client sends 20 MiB after the answer has come')
  surface.isError(t, await readAnswer(socket), refusal.status, refusal.text)
  socket.end()
  await once(socket, 'close')
  await leftOnly(t, server, before, refusal.leaves ?? [])
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`an early answer on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const env = { MAX_CONCURRENT_UPLOADS: '1', MAX_FILE_SIZE: '1MiB' }
    const server = await startTestServer(t, { store, env })
    for (const surface of surfaces) {
      for (const refusal of early) {
        for (const connection of ['keep-alive', 'close']) {
          await t.test(`${surface.name}, ${connection}: ${refusal.what}`, (t) =>
            readsAnswer(t, server, surface, refusal, connection),
          )
        }
      }
      await takesUploads(t, server, surface)
    }
    await until('the connections are gone', async () => (await connectionsOf(server)) === 0)
  })
}

t.test('what a refused client may send is bounded', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const surface of surfaces) {
    const socket = openStubborn(server.url, surface.path, { ...typeOf('b'), 'content-length': 2048 * mebibyte })
    socket.on('error', () => {})
    let sent = 0
    while (!socket.destroyed && sent < 1024) {
      await new Promise((resolve) => socket.write(more, resolve))
      sent += 1
    }
    t.ok(sent >= 64 && sent < 1024, `cut off after ${sent} MiB`)
  }
  await until('the connections are gone', async () => (await connectionsOf(server)) === 0)
})

t.test('a refused request that has come to its end leaves its connection usable', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const { path } of surfaces) {
    const refused = `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n`
    const answers = await exchangeBytes(server.url, `${refused}\r\n{}${refused}Connection: close\r\n\r\n{}`)
    t.strictSame(answers.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 401', 'HTTP/1.1 401'])
  }
})
