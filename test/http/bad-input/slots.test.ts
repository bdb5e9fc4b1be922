import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, formOf } from '../../kit/multipart.ts'
import { postRaw } from '../../kit/raw-http.ts'
import { startTestServer } from '../../kit/server.ts'
import { beginForm } from '../../kit/slow-upload.ts'
import { surfaces } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { leftOnly, newestId, takesUploads, uploadFailed } from './remains.ts'

for (const store of ['s3', 'disk'] as const) {
  t.test(`one upload at a time on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1' } })
    for (const surface of surfaces) {
      await t.test(`${surface.name}: a second one is refused until the first has ended`, async (t) => {
        const before = await newestId(server)
        const first = beginForm(server.url, surface.path, surface.fileField, await surface.credentials(server, 1))
        await first.send(Buffer.from('begun'))
        const begun = await until(
          'the first one began',
          async () => (await newestId(server)) > before && newestId(server),
        )
        for (const other of surfaces) {
          const { headers, body } = formOf(filePart(other))
          const credentials = await other.credentials(server, 2)
          const answer = await postRaw(server.url, other.path, { headers: { ...headers, ...credentials }, body })
          other.isError(t, answer, 503, /Too many uploads at once/)
        }
        t.equal(await newestId(server), begun, 'the refused ones left no row')
        first.socket.destroy()
        await leftOnly(t, server, before, [{ state: uploadFailed, failureReason: /connection closed/ }])
        await takesUploads(t, server, surface)
      })
    }
  })
}
