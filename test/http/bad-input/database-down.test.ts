import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { startBehindLine } from '../../kit/behind-line.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, formOf } from '../../kit/multipart.ts'
import { beginRaw, readAnswer, sendRaw } from '../../kit/raw-http.ts'
import type { TestServer } from '../../kit/server.ts'
import { surfaces } from '../../kit/surfaces.ts'
import type { TcpLine } from '../../kit/tcp-line.ts'
import { until } from '../../kit/until.ts'
import { leftOnly, ordinaryUpload, takesUploads, uploadFailed } from './remains.ts'
import { bearerRoutes, cookieRoutes } from './routes.ts'

const unavailable = /database does not answer/
const stopped = /server that took the file stopped/
const atOnce = String(surfaces.length)
const env = { MAX_CONCURRENT_UPLOADS: atOnce, UPLOADS_PER_USER: atOnce, UPLOAD_LEASE_SECONDS: '3' }

async function isBack(server: TestServer, line: TcpLine): Promise<void> {
  line.mend()
  // Not by /readyz, whose answer may be a second old, from before the outage.
  const answers = () =>
    server.db.execute('select 1').then(
      () => true,
      () => false,
    )
  await until('the server has found its database again', answers)
}

/** One upload to each API: all of it but the last bytes, which come when `finish` is called. */
async function beginUploads(server: TestServer, size: number) {
  const begun = surfaces.map(async (surface) => {
    const { headers, body } = formOf(filePart(surface, Buffer.alloc(size)))
    const credentials = await surface.credentials(server, 1)
    const form = { headers: { ...headers, ...credentials }, body: body.subarray(0, -8) }
    const socket = beginRaw(server.url, surface.path, form, 8)
    const answer = readAnswer(socket)
    return { surface, answer, finish: () => socket.write(body.subarray(-8)) }
  })
  return Promise.all(begun)
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`on ${store}, a database that is away`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const { server, line } = await startBehindLine(t, { store, env })
    await t.test('on every route of the cookie API, uploads to both', async (t) => {
      const target = { attachment: '1', message: '1', conversation: '1', fileName: 'a.txt' }
      const upload = bearerRoutes.filter(({ method }) => method === 'POST')
      const asked = [...cookieRoutes, ...upload].map(async (route) => {
        const { headers, body } = route.form(target)
        const credentials = await route.surface.credentials(server, 1)
        return { route, form: { headers: { ...headers, ...credentials }, body } }
      })
      const requests = await Promise.all(asked)
      line.refuse()
      for (const { route, form } of requests) {
        const answer = await sendRaw(server.url, route.method, route.path(target), form)
        if (route.method === 'HEAD') t.equal(answer.status, 503)
        else route.surface.isError(t, answer, 503, unavailable)
      }
      await isBack(server, line)
      await leftOnly(t, server, 0, [])
    })

    await t.test('from the middle of a file to its end', async (t) => {
      const uploads = await beginUploads(server, 17 * 2 ** 20)
      await until('bytes are in the store', async () => (await server.remains()).uploads.length === uploads.length)
      line.refuse()
      for (const { surface, answer, finish } of uploads) {
        finish()
        surface.isError(t, await answer, 503, unavailable)
      }
      const { objects, uploads: unfinished } = await server.remains()
      t.equal(objects.length + unfinished.length, uploads.length, 'only the database can tell of what is in the store')
      await isBack(server, line)
      await leftOnly(t, server, 0, Array(uploads.length).fill({ state: uploadFailed, failureReason: stopped }))
    })
    for (const surface of surfaces) await takesUploads(t, server, surface)
  })
}

t.test('a database that goes away while files are verified', async (t) => {
  let cut = async () => {}
  const { server, line } = await startBehindLine(t, {
    store: 'disk',
    env,
    wrapStore: (store) => ({
      ...store,
      async head(key, options) {
        await cut()
        return store.head(key, options)
      },
    }),
  })
  const uploads = await beginUploads(server, 1000)
  let waiting = 0
  cut = async () => {
    waiting += 1
    if (waiting < uploads.length) await until('both are verified', () => waiting === uploads.length)
    else line.refuse()
  }
  for (const { finish } of uploads) finish()
  for (const { surface, answer } of uploads) surface.isError(t, await answer, 503, unavailable)
  await isBack(server, line)
  const kept = { ReadyForDownloadFromServerToClient: uploads.length }
  await until('what had come whole is Ready after all', async () => isDeepStrictEqual(await server.states(), kept))
  t.match(await server.remains(), { objects: { length: uploads.length }, uploads: [] })
  cut = async () => {}
  for (const surface of surfaces) t.equal((await ordinaryUpload(server, surface)).status, surface.created)
})
