import { sql } from 'drizzle-orm'
import t from 'tap'
import { isBearerError } from '../../kit/bearer-api.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { startTestServer } from '../../kit/server.ts'
import { get, upload } from './downloads.ts'
import { downloadRaw } from './raw-download.ts'

const size = 2 ** 20

for (const store of ['disk', 's3'] as const)
  t.test(`a Ready attachment, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const { id, addresses } = await upload(server, new File([Buffer.alloc(size, 'x')], 'a.bin'))

    await t.test('whose object is shorter than it', async (t) => {
      await server.db.execute(sql`update attachments set file_size = ${size + 10} where id = ${id}`)
      for (const address of addresses) {
        const whole = await downloadRaw(address)
        t.ok(whole.status === 503 || whole.body.length < whole.promised, `${address.route}: never a whole file`)
        const tail = await downloadRaw(address, { range: 'bytes=-20' })
        t.ok(tail.status === 503 || tail.body.length < tail.promised, `${address.route}: nor its end`)
      }
      await server.db.execute(sql`update attachments set file_size = ${size} where id = ${id}`)
    })

    await t.test('whose object is missing', async (t) => {
      const [object] = await server.db.execute<{ key: string }>(
        sql`select key from objects where attachment_id = ${id}`,
      )
      await server.store.remove(object?.key ?? '')
      t.same(await server.remains(), { objects: [], uploads: [] })
      for (const address of addresses)
        for (const headers of [{}, { range: 'bytes=0-9' }] as Record<string, string>[]) {
          const response = await get(address, headers)
          t.match(response.headers.get('retry-after'), /^\d+$/)
          t.equal(response.headers.get('etag'), null)
          t.equal(response.headers.get('content-range'), null)
          if (address.route === 'file_url') await isBearerError(t, response, 503, 'storage_error')
          else t.match(await response.json(), { httpStatusCode: 503, errorText: /bytes/ })
        }
      t.same(await server.states(), { ReadyForDownloadFromServerToClient: 1 })
    })
  })
