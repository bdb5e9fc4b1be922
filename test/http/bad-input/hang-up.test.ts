import type { Socket } from 'node:net'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, formOf, type RawBody, unfinishedForm } from '../../kit/multipart.ts'
import { beginRaw, readAnswer } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { beginForm } from '../../kit/slow-upload.ts'
import { cookieApi, type Surface, surfaces } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { leftOnly, newestId, takesUploads, uploadFailed } from './remains.ts'

const hungUp = { state: uploadFailed, failureReason: /connection closed before the last byte/ }

/** A file of which all but the end is there. */
const begun = (surface: Surface) => unfinishedForm([], (b) => `--${b}\r\n${filePart(surface).headers}\r\n\r\nbegun`)

/** The ways of a client to go away without a word. */
const ways: Record<string, (socket: Socket) => void> = {
  closes: (socket) => socket.destroy(),
  resets: (socket) => socket.resetAndDestroy(),
}

/** Sends all of the form, which its Content-Length says is longer. */
async function sendShort(server: TestServer, surface: Surface, { headers, body }: RawBody): Promise<Socket> {
  const credentials = await surface.credentials(server, 1)
  return beginRaw(server.url, surface.path, { headers: { ...headers, ...credentials }, body }, 1000)
}

async function isGone(server: TestServer): Promise<void> {
  await until('the connection is gone', async () => (await connectionsOf(server)) === 0)
}

async function hangsUp(t: Test, server: TestServer, surface: Surface, leave: (socket: Socket) => void) {
  const before = await newestId(server)
  const socket = await sendShort(server, surface, begun(surface))
  await until('the file began to arrive', async () => (await newestId(server)) > before)
  leave(socket)
  await leftOnly(t, server, before, [hungUp])
  await isGone(server)
}

async function hangsUpLate(t: Test, server: TestServer, surface: Surface, leave: (socket: Socket) => void) {
  const before = await newestId(server)
  const form = beginForm(server.url, surface.path, surface.fileField, await surface.credentials(server, 1))
  await form.send(Buffer.alloc(17 * 2 ** 20))
  await until('an unfinished upload', async () => (await server.remains()).uploads.length === 1)
  leave(form.socket)
  await leftOnly(t, server, before, [hungUp])
  await isGone(server)
}

async function halfCloses(t: Test, server: TestServer, surface: Surface, form: RawBody) {
  const before = await newestId(server)
  const socket = await sendShort(server, surface, form)
  const answer = readAnswer(socket)
  await until('the file began to arrive', async () => (await newestId(server)) > before)
  socket.end()
  surface.isError(t, await answer, 400, /connection closed before the last byte/)
  await leftOnly(t, server, before, [hungUp])
  await isGone(server)
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1', LOG_LEVEL: 'debug' } })
    for (const surface of surfaces) {
      for (const [way, leave] of Object.entries(ways)) {
        await t.test(`${surface.name}: a client ${way} its connection within a file`, (t) =>
          hangsUp(t, server, surface, leave),
        )
        await t.test(`${surface.name}: a client ${way} its connection after 17 MiB of a file`, (t) =>
          hangsUpLate(t, server, surface, leave),
        )
        await t.test(`${surface.name}: a client ${way} its connection before the first file`, async (t) => {
          const before = await newestId(server)
          leave(
            await sendShort(
              server,
              surface,
              unfinishedForm([], (b) => `--${b}\r\n`),
            ),
          )
          await isGone(server)
          await leftOnly(t, server, before, [])
        })
        await t.test(`${surface.name}: a client ${way} its connection short of its Content-Length`, async (t) => {
          const before = await newestId(server)
          const socket = await sendShort(server, surface, formOf(filePart(surface)))
          await until('the file began to arrive', async () => (await newestId(server)) > before)
          leave(socket)
          await leftOnly(t, server, before, [hungUp])
        })
      }
      await t.test(`${surface.name}: a client that half-closes within a file reads why it failed`, (t) =>
        halfCloses(t, server, surface, begun(surface)),
      )
      await t.test(`${surface.name}: and so it does when only its Content-Length was too long`, (t) =>
        halfCloses(t, server, surface, formOf(filePart(surface))),
      )
      await takesUploads(t, server, surface)
    }
  })
}

t.test('a client that goes away while its session is looked up takes no slot', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_CONCURRENT_UPLOADS: '1' } })
  const whole = { ...formOf(filePart(cookieApi)), missing: 0 }
  const leavings = Object.values(ways).flatMap((leave) =>
    [{ ...begun(cookieApi), missing: 1000 }, whole].map((form) => ({ leave, ...form })),
  )
  for (const { leave, headers, body, missing } of leavings) {
    const form = { headers: { ...headers, ...(await server.cookie(1)) }, body }
    await server.db.transaction(async (holding) => {
      await holding.execute(sql`lock table sessions in access exclusive mode`)
      const socket = beginRaw(server.url, cookieApi.path, form, missing)
      const waiting = () => holding.execute(sql`select from pg_locks where not granted`)
      await until('the lookup waits for the lock', async () => (await waiting()).length > 0)
      leave(socket)
      await isGone(server)
    })
    await leftOnly(t, server, 0, [])
    await takesUploads(t, server, cookieApi)
  }
})
