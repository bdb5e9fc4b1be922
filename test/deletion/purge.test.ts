import { Readable } from 'node:stream'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { purge } from '#deletion/purge.ts'
import { StowageError } from '#domain/errors.ts'
import { claimPurgeable } from '#persistence/objects.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

const { signal } = new AbortController()

async function putObject({ store, db }: TestServer, key: string): Promise<void> {
  await db.execute(
    sql`insert into objects (key, attachment_id, attempt) values (${key}, 1, (select count(*) from objects))`,
  )
  await store.put(key, Readable.from([Buffer.from('bytes')]), { signal })
}

/** Makes the purge due now, as if its time had come. */
async function makeDue({ db }: TestServer, key: string): Promise<void> {
  await db.execute(sql`update objects set purge_at = now() where key = ${key}`)
}

async function purgesOf({ db }: TestServer, key: string): Promise<number | undefined> {
  const [row] = await db.execute<{ purges: number }>(sql`select purges from objects where key = ${key}`)
  return row?.purges
}

for (const kind of ['disk', 's3'] as const) {
  t.test(`bytes that are to go, on ${kind}`, { skip: kind === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store: kind, withWorkers: false })
    const context = { ...server, log: server.app.log }

    await putObject(server, 'aa/stays')
    await putObject(server, 'aa/goes')
    await makeDue(server, 'aa/goes')
    await purge(context, signal)
    t.same((await server.remains()).objects.length, 1, 'only what is due goes')
    t.equal(await purgesOf(server, 'aa/goes'), 1)

    await server.store.put('aa/goes', Readable.from([Buffer.from('late')]), { signal })
    await purge(context, signal)
    t.equal((await server.remains()).objects.length, 2, 'not again before its time')
    await makeDue(server, 'aa/goes')
    await purge(context, signal)
    t.equal((await server.remains()).objects.length, 1, 'what arrived late is found and goes')
    t.equal(await purgesOf(server, 'aa/goes'), 2)

    await makeDue(server, 'aa/goes')
    await purge(context, signal)
    t.equal(await purgesOf(server, 'aa/goes'), 3)
    await makeDue(server, 'aa/goes')
    await purge(context, signal)
    t.equal(await purgesOf(server, 'aa/goes'), undefined, 'forgotten after the last time')
    t.equal(await purgesOf(server, 'aa/stays'), 0)
  })
}

t.test('what is due now is found now, whatever fraction of a millisecond it is', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  await server.db.execute(sql`insert into objects (key, attachment_id, attempt) values ('aa/goes', 1, 1)`)
  for (let round = 0; round < 200; round += 1) {
    await makeDue(server, 'aa/goes')
    const claimed = await claimPurgeable(server.db, 1, 3600)
    if (claimed.length !== 1) return t.fail(`not found in round ${round}`)
  }
  t.pass('found in every round')
})

t.test('a store that does not answer delays the purge and loses nothing', async (t) => {
  let down = true
  const wrapStore = (store: ObjectStore): ObjectStore => ({
    ...store,
    async remove(...args) {
      if (down) throw new StowageError('storage_unavailable', 'down')
      return store.remove(...args)
    },
  })
  const server = await startTestServer(t, { store: 'disk', wrapStore, withWorkers: false })
  const context = { ...server, log: server.app.log }
  await putObject(server, 'aa/goes')
  await makeDue(server, 'aa/goes')
  t.equal(await purge(context, signal), false)
  t.equal(await purgesOf(server, 'aa/goes'), 0)
  down = false
  await makeDue(server, 'aa/goes')
  await purge(context, signal)
  t.same(await server.remains(), { objects: [], uploads: [] })
})

t.test('two replicas purge a thousand keys between them, each once', async (t) => {
  const removed: string[] = []
  const wrapStore = (store: ObjectStore): ObjectStore => ({ ...store, remove: async (key) => void removed.push(key) })
  const server = await startTestServer(t, { store: 'disk', wrapStore, withWorkers: false })
  const context = { ...server, log: server.app.log }
  await server.db.execute(sql`
    insert into objects (key, attachment_id, attempt, purge_at)
    select 'aa/' || n, n, 1, now() from generate_series(1, 1000) n`)
  const replica = async () => {
    while (await purge(context, signal));
  }
  await Promise.all([replica(), replica()])
  await until('every key has been purged', async () => (await server.unpurged()) === 0)
  t.equal(removed.length, 1000)
  t.equal(new Set(removed).size, 1000)
})
