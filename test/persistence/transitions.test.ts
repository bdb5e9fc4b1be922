import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t from 'tap'
import { deleteMessage } from '#deletion/delete.ts'
import { insertAttempt, insertIntent, insertReserved, type Reservation, type Writer } from '#persistence/attempts.ts'
import { softDelete } from '#persistence/deletion.ts'
import { renewLeases } from '#persistence/leases.ts'
import { findObjectKey } from '#persistence/objects.ts'
import { listTransitions } from '#persistence/queries.ts'
import type { Attachment, Attempt } from '#persistence/schema.ts'
import { transition } from '#persistence/transitions.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

const uploading = 'UploadFromClientToServerInProgress'
const verifying = 'ChecksumVerificationOnServerSideInProgress'
const ready = 'ReadyForDownloadFromServerToClient'
const failed = 'UploadFromClientToServerFailed'
const why = { reason: 'a test', actor: 'user:1' }
const beginning = { contentType: 'text/plain', leaseSeconds: 60, requestId: 'again', ...why }

let keys = 0
function intent(): Reservation & Writer {
  keys += 1
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256' }
  return { messageId: 1, uploaderId: 1, ...file, objectKey: `aa/${keys}`, leaseSeconds: 60, requestId: 'first', ...why }
}

async function reserved({ db }: TestServer): Promise<Attempt> {
  const { id, attempt } = (await insertIntent(db, intent())) as Attachment
  return { id, attempt }
}

async function onlyReserved({ db }: TestServer): Promise<Attachment> {
  return (await insertReserved(db, { ...intent(), declaredSize: 3 })) as Attachment
}

async function inVerification(server: TestServer): Promise<Attempt> {
  const attempt = await reserved(server)
  const bytes = { ...attempt, fileSize: 3, fileChecksum: 'abc' }
  await transition(server.db, [bytes], { from: uploading, to: verifying, leaseSeconds: 60, ...why })
  return attempt
}

t.test('transitions', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { db } = server

  t.test('the intent: the row, its key and its first two steps, at once', async (t) => {
    const attachment = (await insertIntent(db, intent())) as Attachment
    t.match(attachment, { state: uploading, attempt: 1, roomId: 1, messageId: 1, fileSize: null, deletedAt: null })
    t.ok((attachment.leaseExpiresAt as Date) > new Date())
    t.equal(await findObjectKey(db, attachment.id, 1), `aa/${keys}`)
    const history = await listTransitions(db, attachment.id)
    t.match(history, [
      { from: null, to: 'Initial', attempt: 0, ...why },
      { from: 'Initial', to: uploading, attempt: 1, ...why },
    ])
  })

  t.test('a reservation: the row and its first step, no key and no lease', async (t) => {
    const reservation = await onlyReserved(server)
    t.match(reservation, { state: 'Initial', attempt: 0, declaredSize: 3, fileSize: null, leaseExpiresAt: null })
    t.match(await listTransitions(db, reservation.id), [{ from: null, to: 'Initial', attempt: 0, ...why }])
    const rows = await db.execute(sql`select from objects where attachment_id = ${reservation.id}`)
    t.equal(rows.length, 0)
    t.equal(await insertReserved(db, { ...intent(), messageId: 12345, declaredSize: 3 }), undefined)
  })

  t.test('nobody writes down a file in a room they are no member of', async (t) => {
    for (const stranger of [{ uploaderId: 9 }, { messageId: 9 }]) {
      t.equal(await insertIntent(db, { ...intent(), ...stranger }), undefined)
      t.equal(await insertReserved(db, { ...intent(), ...stranger, declaredSize: 3 }), undefined)
    }
    const rows = await db.execute(sql`select from objects where key = ${`aa/${keys}`}`)
    t.equal(rows.length, 0)
  })

  t.test('a state that is passed through has its row of history, for every attachment', async (t) => {
    const attempts = [await reserved(server), await reserved(server)]
    const bytes = attempts.map((attempt) => ({ ...attempt, fileSize: 3, fileChecksum: 'abc' }))
    const via = { state: verifying, reason: 'on the way' } as const
    const moved = await transition(db, bytes, { from: uploading, via, to: ready, ...why })
    t.match(moved, [{ state: ready, leaseExpiresAt: null }, { state: ready }])
    for (const { id } of attempts) {
      const [, , ...steps] = await listTransitions(db, id)
      t.match(steps, [
        { from: uploading, to: verifying, reason: 'on the way' },
        { from: verifying, to: ready, reason: why.reason },
      ])
    }
    const another = await reserved(server)
    await t.rejects(
      transition(db, [another], { from: uploading, via: { ...via, state: failed }, to: ready, ...why }),
      /No edge/,
    )
  })

  t.test('an attempt begins with its key, its lease and its step of history, at once', async (t) => {
    const reservation = await onlyReserved(server)
    const begun = await insertAttempt(db, reservation, { ...beginning, objectKey: 'bb/1', contentType: 'image/png' })
    t.match(begun, { id: reservation.id, state: uploading, attempt: 1, contentType: 'image/png', declaredSize: 3 })
    t.ok((begun.leaseExpiresAt as Date) > new Date())
    t.equal(await findObjectKey(db, begun.id, 1), 'bb/1')
    t.match((await listTransitions(db, begun.id)).at(-1), { from: 'Initial', to: uploading, attempt: 1, ...why })
  })

  t.test('a later attempt forgets what the one before measured, not what was declared', async (t) => {
    const attempt = await inVerification(server)
    const to = 'ChecksumVerificationOnServerSideMismatch'
    const [failure] = (await transition(db, [attempt], { from: verifying, to, ...why })) as [Attachment]
    t.match(failure, { fileSize: 3, failureReason: 'a test' })
    const begun = await insertAttempt(db, failure, { ...beginning, objectKey: 'bb/2' })
    t.match(begun, { attempt: 2, fileSize: null, fileChecksum: null, failureReason: null, state: uploading })
    t.equal(await findObjectKey(db, begun.id, 2), 'bb/2')
    t.equal(await findObjectKey(db, begun.id, 1), undefined, 'the first one stays with the purge')
  })

  t.test('of many that begin at once exactly one does, with one key', async (t) => {
    const reservation = await onlyReserved(server)
    const begin = (_: unknown, number: number) =>
      insertAttempt(db, reservation, { ...beginning, objectKey: `cc/${number}` })
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, begin))
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    const rows = await db.execute(sql`select from objects where attachment_id = ${reservation.id}`)
    t.equal(rows.length, 1)
    t.equal((await listTransitions(db, reservation.id)).length, 2)
  })

  t.test('no attempt begins in another state or attempt than seen, nor in what is deleted', async (t) => {
    const reservation = await onlyReserved(server)
    const { id } = reservation
    for (const seen of [
      { id, attempt: 0, state: failed },
      { id, attempt: 1, state: 'Initial' },
      { id: 12345, attempt: 0, state: 'Initial' },
    ] as const)
      await t.rejects(insertAttempt(db, seen, { ...beginning, objectKey: 'dd/1' }), { name: 'StateConflict' })
    await t.rejects(insertAttempt(db, { ...reservation, state: ready }, { ...beginning, objectKey: 'dd/1' }), /No edge/)
    await softDelete(db, { id })
    await t.rejects(insertAttempt(db, reservation, { ...beginning, objectKey: 'dd/1' }), { name: 'StateConflict' })
    t.equal((await db.execute(sql`select from objects where key = 'dd/1'`)).length, 0)
  })

  t.test('a deletion that waits for an attempt to start hands its bytes to the purge too', async (t) => {
    const reservation = await onlyReserved(server)
    let deleting: ReturnType<typeof softDelete> | undefined
    await db.transaction(async (transaction) => {
      await insertAttempt(transaction, reservation, { ...beginning, objectKey: 'ee/1' })
      deleting = softDelete(db, { id: reservation.id })
      await until('the deletion waits for the lock', async () => {
        const waiting = await db.execute(sql`select from pg_locks where not granted`)
        return waiting.length > 0
      })
    })
    t.same(await deleting, { count: 1, isFinished: true })
    const [object] = await db.execute(sql`select purge_at is not null as gone from objects where key = 'ee/1'`)
    t.equal(object?.gone, true)
  })

  t.test('a move writes down what was measured, one row of history, and ends the lease at Ready', async (t) => {
    const { id, attempt } = await inVerification(server)
    const [attachment] = await transition(db, [{ id, attempt }], { from: verifying, to: ready, ...why })
    t.match(attachment, { state: ready, fileSize: 3, fileChecksum: 'abc', leaseExpiresAt: null, failureReason: null })
    const history = await listTransitions(db, id)
    t.same(
      history.map(({ to }) => to),
      ['Initial', uploading, verifying, ready],
    )
  })

  t.test('an edge that is not in the table is never taken', async (t) => {
    const attachment = await reserved(server)
    await t.rejects(transition(db, [attachment], { from: uploading, to: ready, ...why }), /No edge/)
    await t.rejects(transition(db, [attachment], { from: 'Initial', to: uploading, ...why }), /lease/)
  })

  t.test('from another state, another attempt or a deleted row nothing moves', async (t) => {
    const attachment = await reserved(server)
    const { id, attempt } = attachment
    await t.rejects(transition(db, [attachment], { from: verifying, to: ready, ...why }), { name: 'StateConflict' })
    await t.rejects(transition(db, [{ id, attempt: attempt + 1 }], { from: uploading, to: failed, ...why }), {
      name: 'StateConflict',
    })
    await softDelete(db, { id })
    await t.rejects(transition(db, [attachment], { from: uploading, to: failed, ...why }), { name: 'StateConflict' })
    t.equal((await listTransitions(db, id)).length, 2)
  })

  t.test('several move together or not at all', async (t) => {
    const [first, second] = [await inVerification(server), await reserved(server)]
    await t.rejects(transition(db, [first, second], { from: verifying, to: ready, ...why }), { name: 'StateConflict' })
    const [row] = await db.execute(sql`select state from attachments where id = ${first.id}`)
    t.equal(row?.state, verifying)
    t.equal((await listTransitions(db, first.id)).length, 3)
  })

  t.test('of many racing finishers exactly one wins', async (t) => {
    const { id, attempt } = await inVerification(server)
    const finishers = Array.from({ length: 20 }, (_, number) => {
      const to = number % 2 === 0 ? ready : 'ChecksumVerificationOnServerSideFailed'
      return transition(db, [{ id, attempt }], { from: verifying, to, ...why })
    })
    const outcomes = await Promise.allSettled(finishers)
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    t.equal((await listTransitions(db, id)).length, 4)
  })

  t.test('failing hands the bytes of the attempt to the purge', async (t) => {
    const { id, attempt } = await reserved(server)
    const [attachment] = await transition(db, [{ id, attempt }], { from: uploading, to: failed, ...why })
    t.match(attachment, { failureReason: 'a test', leaseExpiresAt: null })
    t.equal(await findObjectKey(db, id, attempt), undefined)
  })

  t.test('a lease is renewed for its own attempt alone, and not after the end', async (t) => {
    const { id, attempt } = await reserved(server)
    t.equal(await renewLeases(db, [{ id, attempt }], 60), 1)
    t.equal(await renewLeases(db, [{ id, attempt: attempt + 1 }], 60), 0)
    await transition(db, [{ id, attempt }], { from: uploading, to: failed, ...why })
    t.equal(await renewLeases(db, [{ id, attempt }], 60), 0)
  })

  t.test('nothing is reserved in what is deleted', async (t) => {
    await deleteMessage(server, 9)
    t.equal(await insertIntent(db, { ...intent(), messageId: 9 }), undefined)
    t.equal(await insertIntent(db, { ...intent(), messageId: 12345 }), undefined)
  })

  t.test('a reservation waits for a deletion of its message that is under way', async (t) => {
    await db.execute(sql`insert into messages (id, public_id, room_id, author_id) values (5, 'five', 1, 1)`)
    const other = postgres(server.databaseUrl, { max: 1 })
    t.teardown(() => other.end())
    let reservation: Promise<Attachment | undefined> | undefined
    await other.begin(async (transaction) => {
      await transaction`update messages set deleted_at = now() where id = 5`
      reservation = insertIntent(db, { ...intent(), messageId: 5 })
      await until('the reservation waits for the lock', async () => {
        const waiting = await db.execute(sql`select from pg_locks where not granted`)
        return waiting.length > 0
      })
    })
    t.equal(await reservation, undefined)
  })
})
