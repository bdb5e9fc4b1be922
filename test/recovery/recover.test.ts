import t from 'tap'
import { listTransitions } from '#persistence/queries.ts'
import { transition } from '#persistence/transitions.ts'
import { recover } from '#recovery/recover.ts'
import { begin, expire, keysToPurge, rowOf, startIdle, uploading, verifying, why } from '../kit/abandoned-attempt.ts'

const uploadFailed = 'UploadFromClientToServerFailed'

t.test('an attempt whose writer is silent fails; a living one is left alone', async (t) => {
  const server = await startIdle(t)
  const [living, dead] = [await begin(server), await begin(server)]
  await expire(server, dead)
  let woken = 0
  const wakePurge = () => {
    woken += 1
  }
  t.equal(await recover({ ...server, wakePurge }), false)
  t.match(await rowOf(server, living), { state: uploading })
  t.match(await rowOf(server, dead), { state: uploadFailed, failure_reason: /again/, lease_expires_at: null })
  t.match((await listTransitions(server.db, dead.id)).at(-1), { from: uploading, actor: 'recovery' })
  t.equal(woken, 1, 'the purge is told')
  t.same(await keysToPurge(server), [dead.objectKey])
})

t.test('a writer that comes back after its lease was taken cannot finish', async (t) => {
  const server = await startIdle(t)
  const late = await begin(server)
  await expire(server, late)
  await server.recover()
  const bytes = { id: late.id, attempt: late.attempt, fileSize: 1, fileChecksum: 'ab' }
  await t.rejects(transition(server.db, [bytes], { from: uploading, to: verifying, leaseSeconds: 60, ...why }), {
    name: 'StateConflict',
  })
})

t.test('several replicas recover the same attempts, each once, and none fails', async (t) => {
  const server = await startIdle(t)
  const attempts = await Promise.all(Array.from({ length: 120 }, () => begin(server)))
  for (const attempt of attempts) await expire(server, attempt)
  const replica = async () => {
    while (await recover({ ...server, wakePurge() {} }));
  }
  await Promise.all(Array.from({ length: 10 }, replica))
  for (const attempt of attempts) t.equal((await listTransitions(server.db, attempt.id)).length, 3)
  t.same(await server.states(), { [uploadFailed]: 120 })
})
