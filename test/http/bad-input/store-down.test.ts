import t, { type Test } from 'tap'
import { findFreePort } from '#embedded/postgres-port.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, formOf, unfinishedForm } from '../../kit/multipart.ts'
import { beginRaw, postRaw, readAnswer, sendRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { cookieApi, type Surface, surfaces } from '../../kit/surfaces.ts'
import { openTcpLine } from '../../kit/tcp-line.ts'
import { until } from '../../kit/until.ts'
import { leftOnly, newestId, storeIsEmpty, takesUploads, uploadFailed } from './remains.ts'

const unavailable = /object store does not answer/
const env = { MAX_CONCURRENT_UPLOADS: '1', UPLOAD_LEASE_SECONDS: '3' }
const failed = { state: uploadFailed, failureReason: unavailable }

async function upload(server: TestServer, surface: Surface, body: string | Buffer = 'content') {
  const form = formOf(filePart(surface, body))
  const credentials = await surface.credentials(server, 1)
  return postRaw(server.url, surface.path, { ...form, headers: { ...form.headers, ...credentials } })
}

t.test('an object store that is not there', { skip: skipWithoutS3 }, async (t) => {
  const S3_ENDPOINT = `http://127.0.0.1:${await findFreePort()}`
  const server = await startTestServer(t, { store: 's3', env: { ...env, S3_ENDPOINT } })
  for (const surface of surfaces) {
    for (const [what, size] of [
      ['a small file', 10],
      ['a file of several parts', 17 * 2 ** 20],
    ] as const) {
      await t.test(`${surface.name}: ${what}`, async (t) => {
        const before = await newestId(server)
        surface.isError(t, await upload(server, surface, Buffer.alloc(size)), 503, unavailable)
        t.strictSame((await server.states())[uploadFailed], before + 1)
        t.strictSame(await server.remains(), { objects: [], uploads: [] })
      })
    }
  }
})

t.test('an object store that goes away and comes back', { skip: skipWithoutS3 }, async (t) => {
  const line = await openTcpLine(t, process.env.S3_ENDPOINT ?? '')
  const server = await startTestServer(t, { store: 's3', env: { ...env, S3_ENDPOINT: line.url } })
  for (const surface of surfaces) {
    await t.test(`${surface.name}: in the middle of a file`, async (t) => {
      const before = await newestId(server)
      const { headers, body } = unfinishedForm([], (b) => `--${b}\r\n${filePart(surface).headers}\r\n\r\n`)
      const credentials = await surface.credentials(server, 1)
      const parts = Buffer.alloc(17 * 2 ** 20)
      const form = { headers: { ...headers, ...credentials }, body: Buffer.concat([body, parts]) }
      const socket = beginRaw(server.url, surface.path, form, 10 * parts.length)
      const answer = readAnswer(socket)
      await until('an unfinished upload', async () => (await server.remains()).uploads.length === 1)
      line.refuse()
      socket.write(parts)
      surface.isError(t, await answer, 503, unavailable)
      t.equal((await server.remains()).uploads.length, 1, 'what was sent is still there')
      line.mend()
      await leftOnly(t, server, before, [failed])
      await takesUploads(t, server, surface)
    })
  }

  await t.test('what needs no store goes on meanwhile, and what does says so', async (t) => {
    const before = await newestId(server)
    t.equal((await upload(server, cookieApi)).status, 200)
    const id = await newestId(server)
    line.refuse()
    const cookie = await server.cookie(1)
    const ask = (method: string, path: string) =>
      sendRaw(server.url, method, path, { headers: cookie, body: Buffer.alloc(0) })
    cookieApi.isError(t, await ask('GET', `/api/v1/attachments/${id}/a.txt`), 503, unavailable)
    t.equal((await ask('GET', `/api/v1/attachments/${id}`)).status, 200)
    t.equal((await ask('HEAD', `/api/v1/attachments/${id}/a.txt`)).status, 200)
    t.equal((await ask('DELETE', `/api/v1/attachments/${id}`)).status, 200)
    t.equal((await ask('GET', `/api/v1/attachments/${id}`)).status, 404)
    t.equal((await server.remains()).objects.length, 1, 'the bytes are still there')
    line.mend()
    await leftOnly(t, server, before, [])
  })
})

/** A store that takes so many bytes, and fails in its own way. */
function failingAfter(bytes: number, error: Error) {
  return (store: ObjectStore): ObjectStore => ({
    ...store,
    async put(key, body, options) {
      const beginning = async function* () {
        let taken = 0
        for await (const chunk of body) {
          taken += chunk.length
          if (taken > bytes) throw error
          yield chunk
        }
      }
      return store.put(key, beginning(), options)
    },
  })
}

async function tellsNothing(t: Test, kind: 's3' | 'disk'): Promise<void> {
  const secret = new Error('select * from objects; bucket test-bucket key ab/abcdef at Object.put (s3.ts:1:1)')
  const server = await startTestServer(t, { store: kind, env, wrapStore: failingAfter(9 * 2 ** 20, secret) })
  for (const surface of surfaces) {
    const before = await newestId(server)
    const answer = await upload(server, surface, Buffer.alloc(17 * 2 ** 20))
    surface.isError(t, answer, 500, /^The server failed/)
    await leftOnly(t, server, before, [
      { state: uploadFailed, failureReason: /^The server failed while the file arrived/ },
    ])
    await takesUploads(t, server, surface)
  }
  await storeIsEmpty(t, server)
}

for (const kind of ['s3', 'disk'] as const) {
  t.test(
    `an unforeseen failure midway tells nothing of the inside, on ${kind}`,
    { skip: kind === 's3' && skipWithoutS3 },
    (t) => tellsNothing(t, kind),
  )
}
