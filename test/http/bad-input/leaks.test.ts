import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, formOf } from '../../kit/multipart.ts'
import { postRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { busyInDatabase, resourcesOf } from '../../kit/server-resources.ts'
import { beginForm, type SlowForm } from '../../kit/slow-upload.ts'
import { type Surface, surfaces } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { newestId, storeIsEmpty, uploadFailed } from './remains.ts'

const aborted = 50
const atOnce = 5

function beginAll(server: TestServer): Promise<SlowForm[]> {
  const begin = async (surface: Surface) => {
    const form = beginForm(server.url, surface.path, surface.fileField, await surface.credentials(server, 1))
    await form.send(Buffer.alloc(100_000))
    return form
  }
  return Promise.all(Array.from({ length: atOnce }, (_, index) => begin(surfaces[index % 2] as Surface)))
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`after ${aborted} aborted uploads on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const warnings: Error[] = []
    const warn = (warning: Error) => warnings.push(warning)
    process.on('warning', warn)
    t.teardown(() => process.off('warning', warn))
    const server = await startTestServer(t, {
      store,
      env: { MAX_CONCURRENT_UPLOADS: String(atOnce), UPLOADS_PER_USER: String(atOnce) },
    })
    const baseline = await resourcesOf(server)
    for (let done = 0; done < aborted; done += atOnce) {
      const before = await newestId(server)
      const forms = await beginAll(server)
      await until('all of them have begun', async () => (await newestId(server)) === before + atOnce)
      // The ways to go away take turns.
      for (const [index, { socket }] of forms.entries()) index % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()
      await until('and ended', async () => (await server.states())[uploadFailed] === done + atOnce)
    }

    await until('the connections are gone', async () => (await resourcesOf(server)).connections === 0)
    await until('the database is idle', async () => (await busyInDatabase(server)) === 0)
    t.strictSame(await resourcesOf(server), baseline, 'nothing is held that was not held before')
    t.strictSame(await server.states(), { [uploadFailed]: aborted })
    await storeIsEmpty(t, server)

    await t.test('every slot is free, and there are no more than before', async (t) => {
      const forms = await beginAll(server)
      await until('all of them have begun', async () => (await newestId(server)) === aborted + atOnce)
      for (const surface of surfaces) {
        const { headers, body } = formOf(filePart(surface))
        const credentials = await surface.credentials(server, 1)
        const answer = await postRaw(server.url, surface.path, { headers: { ...headers, ...credentials }, body })
        t.equal(answer.status, 503)
      }
      const answers = await Promise.all(forms.map((form) => form.finish()))
      t.strictSame(
        answers.map(({ status }) => status),
        [200, 201, 200, 201, 200],
      )
    })
    t.strictSame(warnings, [], 'Node has warned of nothing')
  })
}
