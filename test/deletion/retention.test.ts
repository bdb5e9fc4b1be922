import { sql } from 'drizzle-orm'
import t from 'tap'
import { resumeDeletions } from '#deletion/resume-deletions.ts'
import { expireRows } from '#deletion/retention.ts'
import { insertAttempt, insertIntent, insertReserved } from '#persistence/attempts.ts'
import { softDelete } from '#persistence/deletion.ts'
import type { Attachment } from '#persistence/schema.ts'
import { transition } from '#persistence/transitions.ts'
import { createInternalMessage } from '#rooms/messages.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'

const uploading = 'UploadFromClientToServerInProgress'
const why = { reason: 'a test', actor: 'user:1' }

async function reserve({ db }: TestServer, objectKey: string, messageId = 1, uploaderId = 1) {
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256' }
  const attachment = await insertIntent(db, {
    messageId,
    uploaderId,
    ...file,
    objectKey,
    leaseSeconds: 60,
    requestId: objectKey,
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
  const context = { ...server, wakePurge() {} }
  const messagesBefore = await count(server, 'messages')
  const own = (await createInternalMessage(db, 1, 1)) as number
  const [living, failed, deleted] = [
    await reserve(server, 'aa/1'),
    await reserve(server, 'aa/2', own),
    await reserve(server, 'aa/3'),
  ]
  await transition(db, [failed], { from: uploading, to: 'UploadFromClientToServerFailed', ...why })
  await softDelete(db, deleted)

  await expireRows(context)
  t.equal(await count(server, 'attachments'), 3, 'not before its time')

  await db.execute(sql`
    update attachments set modified_at = now() - interval '25 hours',
      deleted_at = case when deleted_at is null then null else now() - interval '25 hours' end`)
  await db.execute(sql`update messages set created_at = now() - interval '25 hours'`)
  await expireRows(context)
  t.equal(await count(server, 'attachments'), 3, 'not while there may be bytes')

  await db.execute(sql`delete from objects where key in ('aa/2', 'aa/3')`)
  await expireRows(context)
  const left = await db.execute(sql`select id::int from attachments`)
  t.same(
    left.map(({ id }) => id),
    [living.id],
    'the living one stays',
  )
  t.equal(await count(server, 'transitions'), 2, 'the history goes with its attachment')
  t.equal(await count(server, 'messages'), messagesBefore, 'the message made for the failed one alone is gone too')
})

async function reserveOnly({ db }: TestServer): Promise<Attachment> {
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256', declaredSize: 7 }
  return (await insertReserved(db, { messageId: 1, uploaderId: 1, ...file, ...why })) as Attachment
}

t.test('a reservation that is never used is forgotten, one whose bytes arrive is not', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const { db } = server
  const context = { ...server, wakePurge() {} }
  const beginning = { contentType: 'text/plain', leaseSeconds: 60, requestId: 'again', ...why }
  const all = [1, 2, 3, 4, 5].map(() => reserveOnly(server))
  const [unused, computing, fresh, used, again] = (await Promise.all(all)) as [
    Attachment,
    Attachment,
    Attachment,
    Attachment,
    Attachment,
  ]
  const to = 'ChecksumCalculationOnClientSideInProgress'
  await transition(db, [{ id: computing.id, attempt: 0 }], { from: 'Initial', to, ...why })
  await insertAttempt(db, again, { ...beginning, objectKey: 'aa/1' })
  const [failed] = await transition(db, [{ id: again.id, attempt: 1 }], {
    from: uploading,
    to: 'UploadFromClientToServerFailed',
    ...why,
  })
  await expireRows(context)
  t.equal(await count(server, 'attachments'), 5, 'not before its time')

  await db.execute(sql`update attachments set modified_at = now() - interval '25 hours' where id <> ${fresh.id}`)
  await insertAttempt(db, failed as Attachment, { ...beginning, objectKey: 'aa/2' })
  await db.execute(sql`delete from objects where key = 'aa/1'`)
  await db.execute(sql`update attachments set modified_at = now() - interval '25 hours' where id = ${again.id}`)
  await db.transaction(async (beginningNow) => {
    await insertAttempt(beginningNow, used, { ...beginning, objectKey: 'aa/3' })
    await expireRows(context)
  })
  await expireRows(context)
  const left = await db.execute(sql`select id::int from attachments order by id`)
  const kept = [fresh, used, again].map(({ id }) => id)
  t.same(
    left.map(({ id }) => id),
    kept.sort((a, b) => a - b),
    `neither ${unused.id} nor ${computing.id}`,
  )
})

t.test(
  'a deletion that died between hiding a message, room or user and deleting their attachments is finished',
  async (t) => {
    const server = await startTestServer(t, { store: 'disk', withWorkers: false })
    const { db } = server
    await db.execute(sql`insert into messages (id, public_id, room_id, author_id) values (2, 'two', 1, 1)`)
    const places = [
      await reserve(server, 'aa/1'),
      await reserve(server, 'aa/2', 2),
      await reserve(server, 'aa/3', 9, 9),
    ]
    const stays = await reserve(server, 'aa/4')
    await db.execute(sql`update attachments set uploader_id = 3 where id = ${places[0]?.id}`)
    await db.execute(sql`update users set deleted_at = now() where id = 3`)
    await db.execute(sql`update messages set deleted_at = now() where id = 2`)
    await db.execute(sql`update rooms set deleted_at = now() where id = 9`)
    let woken = 0
    const wakePurge = () => {
      woken += 1
    }
    await resumeDeletions({ ...server, wakePurge })
    const left = await db.execute(sql`select id::int from attachments where deleted_at is null`)
    t.same(
      left.map(({ id }) => id),
      [stays.id],
    )
    const due = await db.execute(sql`select key from objects where purge_at is not null order by key`)
    t.same(
      due.map(({ key }) => key),
      ['aa/1', 'aa/2', 'aa/3'],
    )
    t.equal(woken, 1)
  },
)

t.test('an object that a deletion did not live to see is handed to the purge', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const { db } = server
  const [deleted] = [await reserve(server, 'aa/1'), await reserve(server, 'aa/2')]
  await db.execute(sql`update attachments set deleted_at = now(), lease_expires_at = null where id = ${deleted?.id}`)
  let woken = 0
  const wakePurge = () => {
    woken += 1
  }
  await expireRows({ ...server, wakePurge })
  const due = await db.execute(sql`select key from objects where purge_at is not null`)
  t.same(
    due.map(({ key }) => key),
    ['aa/1'],
  )
  t.equal(woken, 1)
})
