import { sql } from 'drizzle-orm'
import t from 'tap'
import { addOwnMessage } from '../../src/chat/messages.ts'
import { bury } from '../../src/db/attachments.ts'
import { insertUploading, move } from '../../src/db/transitions.ts'
import { retain } from '../../src/workers/retain.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const uploading = 'UploadFromClientToServerInProgress'
const why = { reason: 'a test', actor: 'user:1' }

async function reserve({ db }: TestServer, objectKey: string, messageId = 1) {
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256' }
  const attachment = await insertUploading(db, {
    messageId,
    uploaderId: 1,
    ...file,
    objectKey,
    leaseSeconds: 60,
    ...why,
  })
  return { id: attachment?.id as number, attempt: 1 }
}

async function count({ db }: TestServer, table: 'attachments' | 'transitions' | 'messages'): Promise<number> {
  const rows = await db.execute(sql`select from ${sql.identifier(table)}`)
  return rows.length
}

t.test('what ended longer ago than the retention is forgotten, once its bytes are gone', async (t) => {
  const server = await startTestServer(t, {
    store: 'disk',
    env: { UPLOAD_LEASE_SECONDS: '3600', FAILED_RETENTION_HOURS: '24' },
  })
  const { db } = server
  const messagesBefore = await count(server, 'messages')
  const own = (await addOwnMessage(db, 1, 1)) as number
  const [living, failed, deleted] = [
    await reserve(server, 'aa/1'),
    await reserve(server, 'aa/2', own),
    await reserve(server, 'aa/3'),
  ]
  await move(db, [failed], { from: uploading, to: 'UploadFromClientToServerFailed', ...why })
  await bury(db, deleted)

  await retain(server)
  t.equal(await count(server, 'attachments'), 3, 'not before its time')

  await db.execute(sql`
    update attachments set modified_at = now() - interval '25 hours',
      deleted_at = case when deleted_at is null then null else now() - interval '25 hours' end`)
  await db.execute(sql`update messages set created_at = now() - interval '25 hours'`)
  await retain(server)
  t.equal(await count(server, 'attachments'), 3, 'not while there may be bytes')

  await db.execute(sql`delete from objects where key in ('aa/2', 'aa/3')`)
  await retain(server)
  const left = await db.execute(sql`select id::int from attachments`)
  t.same(
    left.map(({ id }) => id),
    [living.id],
    'the living one stays',
  )
  t.equal(await count(server, 'transitions'), 2, 'the history goes with its attachment')
  t.equal(await count(server, 'messages'), messagesBefore, 'the message made for the failed one alone is gone too')
})
