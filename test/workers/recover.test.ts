import { sql } from 'drizzle-orm'
import t from 'tap'
import { listTransitions } from '../../src/db/attachments.ts'
import { type Attempt, insertUploading, move } from '../../src/db/transitions.ts'
import { recover } from '../../src/workers/recover.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const uploading = 'UploadFromClientToServerInProgress'
const verifying = 'ChecksumVerificationOnServerSideInProgress'
const why = { reason: 'a test', actor: 'user:1' }

async function reserve({ db }: TestServer, objectKey: string): Promise<Attempt> {
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256' }
  const attachment = await insertUploading(db, {
    messageId: 1,
    uploaderId: 1,
    ...file,
    objectKey,
    leaseSeconds: 60,
    ...why,
  })
  return { id: attachment?.id as number, attempt: attachment?.attempt as number }
}

/** As if its writer had been silent for longer than the lease. */
async function expire({ db }: TestServer, { id }: Attempt): Promise<void> {
  await db.execute(sql`update attachments set lease_expires_at = now() - interval '1 second' where id = ${id}`)
}

t.test('recovery', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_LEASE_SECONDS: '3600' } })
  const { db } = server
  let woken = 0
  const purgeSoon = () => {
    woken += 1
  }
  const deps = { db, purgeSoon }
  const stateOf = async ({ id }: Attempt) => {
    const [row] = await db.execute(
      sql`select state, failure_reason, lease_expires_at from attachments where id = ${id}`,
    )
    return row
  }

  t.test('an attempt whose writer is silent fails, wherever it was; a living one is left alone', async (t) => {
    const [living, dead, deadLater] = [
      await reserve(server, 'aa/1'),
      await reserve(server, 'aa/2'),
      await reserve(server, 'aa/3'),
    ]
    const bytes = { ...deadLater, fileSize: 1, fileChecksum: 'ab' }
    await move(db, [bytes], { from: uploading, to: verifying, leaseSeconds: 60, ...why })
    await expire(server, dead)
    await expire(server, deadLater)
    t.equal(await recover(deps), false)
    t.match(await stateOf(living), { state: uploading })
    t.match(await stateOf(dead), {
      state: 'UploadFromClientToServerFailed',
      failure_reason: /again/,
      lease_expires_at: null,
    })
    t.match(await stateOf(deadLater), { state: 'ChecksumVerificationOnServerSideFailed' })
    t.match((await listTransitions(db, dead.id)).at(-1), { from: uploading, actor: 'recovery' })
    t.equal(woken, 1, 'the purge is told')
    const due = await db.execute(sql`select key from objects where purge_at is not null order by key`)
    t.same(
      due.map(({ key }) => key),
      ['aa/2', 'aa/3'],
    )
  })

  t.test('a writer that comes back after its lease was taken cannot finish', async (t) => {
    const late = await reserve(server, 'aa/4')
    await expire(server, late)
    await recover(deps)
    const bytes = { ...late, fileSize: 1, fileChecksum: 'ab' }
    await t.rejects(move(db, [bytes], { from: uploading, to: verifying, leaseSeconds: 60, ...why }), {
      name: 'StateConflict',
    })
  })

  t.test('several replicas recover the same attempts and none fails', async (t) => {
    const attempts = await Promise.all(Array.from({ length: 30 }, (_, n) => reserve(server, `bb/${n}`)))
    for (const attempt of attempts) await expire(server, attempt)
    await Promise.all([recover(deps), recover(deps), recover(deps)])
    for (const attempt of attempts) t.equal((await listTransitions(db, attempt.id)).length, 3)
  })
})
