import { sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '#persistence/connection/client.ts'
import { deleteMessage } from '#rooms/messages.ts'
import { deleteRoom } from '#rooms/rooms.ts'
import { deleteUser } from '#rooms/users.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { fieldPart, filePart, formOf } from '../../kit/multipart.ts'
import { beginRaw, postRaw, readAnswer } from '../../kit/raw-http.ts'
import { type StoreKind, startTestServer } from '../../kit/server.ts'
import { bearerApi, type Surface, surfaces } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { leftOnly, newestId, storeIsEmpty } from './remains.ts'

/** What goes away while user 2 uploads to message 1, and how a later upload to it is answered. */
const deletions: { what: string; remove(db: Database): Promise<unknown>; later: number }[] = [
  { what: 'the message', remove: (db) => deleteMessage(db, 1), later: 404 },
  { what: 'the room', remove: (db) => deleteRoom(db, 1), later: 404 },
  { what: 'the user', remove: (db) => deleteUser(db, 2), later: 401 },
]

function uploadTo(surface: Surface, size: number) {
  const message = surface === bearerApi ? [fieldPart('message_id', '1')] : []
  return formOf(...message, filePart(surface, Buffer.alloc(size)))
}

for (const [store, size] of [
  ['s3', 17 * 2 ** 20],
  ['s3', 1000],
  ['disk', 17 * 2 ** 20],
] as [StoreKind, number][]) {
  for (const { what, remove, later } of deletions) {
    const skip = store === 's3' && skipWithoutS3
    t.test(`${what} is deleted while ${size} bytes arrive, on ${store}`, { skip }, async (t) => {
      const env = { MAX_CONCURRENT_UPLOADS: '2', UPLOADS_PER_USER: '2', UPLOAD_LEASE_SECONDS: '3' }
      const server = await startTestServer(t, { store, env })
      const begun = surfaces.map(async (surface) => {
        const credentials = await surface.credentials(server, 2)
        const { headers, body } = uploadTo(surface, size)
        const form = { headers: { ...headers, ...credentials }, body: body.subarray(0, -8) }
        const socket = beginRaw(server.url, surface.path, form, 8)
        return { surface, credentials, answer: readAnswer(socket), finish: () => socket.write(body.subarray(-8)) }
      })
      const uploads = await Promise.all(begun)
      await until('both began', async () => (await newestId(server)) === uploads.length)

      await remove(server.db)
      for (const { surface, answer, finish } of uploads) {
        finish()
        surface.isError(t, await answer, 409, /deleted|no longer/)
      }
      await leftOnly(t, server, 0, [])
      const rows = await server.db.execute(sql`select from attachments where state like 'Ready%'`)
      t.equal(rows.length, 0, 'not even among the deleted is there one that is Ready')

      for (const { surface, credentials } of uploads) {
        const { headers, body } = uploadTo(surface, size)
        const answer = await postRaw(server.url, surface.path, { headers: { ...headers, ...credentials }, body })
        surface.isError(t, answer, later, later === 404 ? /^Message not found$/ : /./)
      }
      t.equal(await newestId(server), uploads.length, 'no other row')
      await storeIsEmpty(t, server)
    })
  }
}
