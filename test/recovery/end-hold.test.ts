import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { listTransitions } from '#persistence/queries.ts'
import { declareRestored, isHeld, readHold } from '#persistence/server-identity.ts'
import { endHold } from '#recovery/release-hold.ts'
import { type Begun, begin, expire, keysToPurge, rowOf, startIdle, uploading } from '../kit/abandoned-attempt.ts'
import type { TestServer } from '../kit/server.ts'
import { runScrub, tamperWith, upload } from '../scrub/scrub-run.ts'

const ready = 'ReadyForDownloadFromServerToClient'

/** A lease that is short for a test, since the end of a hold waits for half of one. */
const env = { UPLOAD_LEASE_SECONDS: '3' }

/** A server that has just been restored, after what `prepare` did. */
async function startRestored<T>(t: Parameters<typeof startIdle>[0], prepare: (server: TestServer) => Promise<T>) {
  const server = await startIdle(t, { env })
  const prepared = await prepare(server)
  await declareRestored(server.db)
  const end = async () => endHold(server, (await readHold(server.db)) as Date, new AbortController().signal)
  return { server, prepared, end, write: tamperWith(t, server).write }
}

/** Attempts of one request, whose writer died before the copy was made. */
async function leave(server: TestServer, count: number): Promise<Begun[]> {
  const requestId = randomUUID()
  const left: Begun[] = []
  for (let number = 0; number < count; number++) left.push(await begin(server, requestId))
  for (const one of left) await expire(server, one)
  return left
}

async function statesOf(server: TestServer, attempts: readonly Begun[]): Promise<unknown[]> {
  return Promise.all(attempts.map(async (attempt) => (await rowOf(server, attempt))?.state))
}

t.test('what arrived is kept, with its history', async (t) => {
  const { server, prepared, end, write } = await startRestored(t, (server) => leave(server, 2))
  for (const { objectKey } of prepared) await write(objectKey, 'content')
  t.strictSame(await end(), { isReleased: true, kept: 2 })
  t.strictSame(await statesOf(server, prepared), [ready, ready])
  const [{ id } = { id: 0 }] = prepared
  t.match((await listTransitions(server.db, id)).slice(-2), [{ from: uploading }, { to: ready, actor: 'restore' }])
  t.same((await runScrub(server)).counts, { whole: 2, damaged: 0, missing: 0, orphaned: 0 })
  t.equal(await isHeld(server.db), false)
})

t.test('all files of a request or none', async (t) => {
  const { server, prepared, end, write } = await startRestored(t, async (server) => ({
    oneMissing: await leave(server, 2),
    oneDeleted: await leave(server, 2),
    declaredOtherwise: await leave(server, 1),
    longerThanDeclared: await leave(server, 1),
  }))
  const { oneMissing, oneDeleted, declaredOtherwise, longerThanDeclared } = prepared
  for (const [index, { objectKey }] of [
    oneMissing[0],
    oneDeleted[0],
    ...declaredOtherwise,
    ...longerThanDeclared,
  ].entries() as ArrayIterator<[number, Begun]>)
    await write(objectKey, `content ${index}`)
  await server.db.execute(sql`update attachments set deleted_at = now() where id = ${oneDeleted[1]?.id}`)
  await server.db.execute(sql`
    update attachments set declared_checksum = 'ab' where id = ${declaredOtherwise[0]?.id}`)
  await server.db.execute(sql`update attachments set declared_size = 3 where id = ${longerThanDeclared[0]?.id}`)
  const all = [...oneMissing, oneDeleted[0] as Begun, ...declaredOtherwise, ...longerThanDeclared]
  t.same(await keysToPurge(server), [])
  t.strictSame(await end(), { isReleased: true, kept: 0 })
  t.strictSame(
    await statesOf(server, all),
    all.map(() => uploading),
    'left to the recovery',
  )
  await server.recover()
  t.equal((await keysToPurge(server)).length, all.length)
})

t.test('a writer that lives is left alone', async (t) => {
  const { server, prepared, end, write } = await startRestored(t, (server) => leave(server, 1))
  for (const { objectKey } of prepared) await write(objectKey, 'content')
  await server.db.execute(sql`update attachments set lease_expires_at = now() + interval '4 seconds'`)
  t.strictSame(await end(), { isReleased: true, kept: 0 })
  t.strictSame(await statesOf(server, prepared), [uploading])
})

t.test('which scrubs end a hold', async (t) => {
  const { server } = await startRestored(t, (server) => upload(server, 'content'))
  const outcome = async (options: Parameters<typeof runScrub>[1]) => {
    const { result, summary } = await runScrub(server, options)
    t.equal(/hold is over/.test(summary), result.hold?.isReleased === true)
    return result.hold?.isReleased
  }
  t.equal(await outcome({ olderThanHours: 1 }), undefined, 'not one that leaves something out')
  t.equal(await outcome({ signal: AbortSignal.abort() }), undefined, 'nor one that is stopped')
  t.equal(await outcome({}), true, 'but one that has read everything')
  await server.db.execute(sql`update database_identity set held_since = now()`)
  await server.db.execute(sql`drop table scrubs`)
  t.ok((await runScrub(server)).result.interruptedBy)
  t.ok(await readHold(server.db), 'nor one that cannot be written down')
})

t.test('a hold that began during the scrub goes on', async (t) => {
  const { server } = await startRestored(t, (server) => upload(server, 'content'))
  const store = Object.create(server.store)
  store.get = async (...args: Parameters<typeof server.store.get>) => {
    await declareRestored(server.db)
    return server.store.get(...args)
  }
  const { result } = await runScrub(server, { store })
  t.same(result.hold, { isReleased: false, kept: 0 })
  t.ok(await readHold(server.db))
})
