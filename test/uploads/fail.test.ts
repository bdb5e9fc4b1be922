import { sql } from 'drizzle-orm'
import t from 'tap'
import { listTransitions } from '#persistence/queries.ts'
import type { Attempt } from '#persistence/schema.ts'
import { transition } from '#persistence/transitions.ts'
import { failAttempts } from '#uploads/fail.ts'
import { publishVerified } from '#uploads/publish.ts'
import { begin, keysToPurge, rowOf, startIdle, uploading, verifying, why } from '../kit/abandoned-attempt.ts'
import type { TestServer } from '../kit/server.ts'

const actor = 'user:1'
const lease = { signal: new AbortController().signal, seconds: 60 }

async function beginVerified(server: TestServer) {
  const begun = await begin(server)
  const bytes = { id: begun.id, attempt: begun.attempt, fileSize: 1, fileChecksum: 'ab' }
  await transition(server.db, [bytes], { from: uploading, to: verifying, leaseSeconds: 60, ...why })
  return begun
}

/** Counts the statements that update attachments. A statement that updates many rows counts once. */
async function countUpdates({ db }: TestServer): Promise<() => Promise<number>> {
  await db.execute(sql`create table updates (at timestamptz default clock_timestamp())`)
  await db.execute(sql`
    create function count_update() returns trigger language plpgsql
      as 'begin insert into updates default values; return null; end'`)
  await db.execute(sql`
    create trigger count_updates after update on attachments for each statement execute function count_update()`)
  return async () => (await db.execute(sql`select from updates`)).length
}

const attemptOf = ({ id, attempt }: Attempt) => ({ id, attempt })

t.test('attempts fail from the state in which each of them is; an ended one stays as it is', async (t) => {
  const server = await startIdle(t)
  const [arriving, arrived, ended, gone] = [
    await begin(server),
    await beginVerified(server),
    await beginVerified(server),
    await begin(server),
  ]
  await publishVerified(server, [{ attempt: attemptOf(ended), isWhole: true }], { actor }, lease)
  await server.db.execute(sql`update attachments set deleted_at = now() where id = ${gone.id}`)
  const all = [gone, ended, arrived, arriving].map(attemptOf)
  await failAttempts(server.db, all, { reason: 'a test', actor })
  t.match(await rowOf(server, arriving), { state: 'UploadFromClientToServerFailed', lease_expires_at: null })
  t.match(await rowOf(server, arrived), { state: 'ChecksumVerificationOnServerSideFailed', failure_reason: 'a test' })
  t.match(await rowOf(server, ended), { state: 'ReadyForDownloadFromServerToClient', failure_reason: null })
  t.match(await rowOf(server, gone), { state: uploading, failure_reason: null })
  t.same(await keysToPurge(server), [arriving.objectKey, arrived.objectKey])
  t.equal((await listTransitions(server.db, arriving.id)).length, 3)
})

t.test('a request of many files fails in as many statements as one of a few', async (t) => {
  const server = await startIdle(t)
  const files = await Promise.all(Array.from({ length: 40 }, () => beginVerified(server)))
  const verified = files.map((file, index) => ({ attempt: attemptOf(file), isWhole: index % 2 === 0 }))
  const updates = await countUpdates(server)
  await t.rejects(publishVerified(server, verified, { actor }, lease), { name: 'NotStoredAsSent' })
  t.equal(await updates(), 2, 'the damaged files, and their siblings')
  t.strictSame(await server.states(), {
    ChecksumVerificationOnServerSideFailed: 20,
    ChecksumVerificationOnServerSideMismatch: 20,
  })
})
