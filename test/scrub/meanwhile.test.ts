import { sql } from 'drizzle-orm'
import t from 'tap'
import { StowageError } from '#domain/errors.ts'
import { openDatabase } from '#persistence/connection/client.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { type StoreKind, startTestServer, type TestServer } from '../kit/server.ts'
import { openTcpLine } from '../kit/tcp-line.ts'
import { until } from '../kit/until.ts'
import { bytesOf } from '../store/bodies.ts'
import { noted, only, remove, runScrub, scrubsOf, tamperWith, type Uploaded, upload } from './scrub-run.ts'

/** A store that does something else, once, when a key is read. */
function interfering({ store }: TestServer, { key }: Uploaded, interfere: ObjectStore['get']): ObjectStore {
  return { ...store, get: (...args) => (args[0] === key ? interfere(...args) : store.get(...args)) }
}

const down = () => new StowageError('storage_unavailable', 'down')

for (const kind of ['disk', 's3'] as const satisfies StoreKind[])
  t.test(`deleted meanwhile, on ${kind}`, { skip: kind === 's3' && skipWithoutS3 }, async (t) => {
    t.test('and purged before it is read: not missing', async (t) => {
      const server = await startTestServer(t, { store: kind })
      const file = await upload(server, 'content')
      const store = interfering(server, file, async (...args) => {
        await remove(server, file.id)
        await until('the bytes are gone', async () => (await server.store.head(file.key)) === undefined)
        return server.store.get(...args)
      })
      const { counts, lines, exitCode } = await runScrub(server, { store })
      t.same(counts, only({}))
      t.same(lines, [])
      t.equal(exitCode, 0)
    })

    t.test('while its damaged bytes are read: not damaged, however far the deletion has come', async (t) => {
      const server = await startTestServer(t, { store: kind, withWorkers: false })
      const meanwhile = [
        (file: Uploaded) => remove(server, file.id),
        (file: Uploaded) => server.db.execute(sql`update objects set purge_at = now() where key = ${file.key}`),
        (file: Uploaded) => server.db.execute(sql`update attachments set deleted_at = now() where id = ${file.id}`),
      ]
      const files: Uploaded[] = []
      let store = server.store
      for (const happens of meanwhile) {
        const file = await upload(server, bytesOf(500_000))
        files.push(file)
        await tamperWith(t, server).write(file.key, bytesOf(499_999))
        store = interfering({ ...server, store }, file, async (...args) => {
          const stream = await server.store.get(...args)
          await happens(file)
          return stream
        })
      }
      const { counts, lines } = await runScrub(server, { store })
      t.same(counts, only({}))
      t.same(lines, [])
      for (const file of files) t.same(await noted(server, file), { damage: null, read: false })
    })
  })

t.test('a read that fails now and then is tried again', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const file = await upload(server, bytesOf(1_000_000))
  let reads = 0
  const store = interfering(server, file, async (...args) => {
    reads += 1
    if (reads === 1) throw down()
    const stream = await server.store.get(...args)
    if (reads === 2) stream.once('data', () => stream.destroy(new Error('cut')))
    return stream
  })
  const { counts, lines, exitCode } = await runScrub(server, { store })
  t.same(counts, only({ whole: 1 }))
  t.same(lines, [])
  t.equal(exitCode, 0)
  t.equal(reads, 3)
})

t.test('an object that cannot be read is not damaged, and the others are read', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const [file] = [await upload(server, 'a'), await upload(server, 'b'), await upload(server, 'c')]
  let reads = 0
  const store = interfering(server, file, async () => {
    reads += 1
    throw down()
  })
  const { counts, lines, exitCode, summary } = await runScrub(server, { store })
  t.equal(reads, 3)
  t.same(counts, only({ whole: 2 }))
  t.match(lines, [{ level: 50, key: file.key, attachmentId: file.id, err: { message: 'down' } }])
  t.notMatch(lines, [{ finding: /./ }])
  t.equal(exitCode, 1)
  t.match(summary, /1 could not be read\.$/)
  t.same(await noted(server, file), { damage: null, read: false })
  t.same(await scrubsOf(server), [], 'not everything was seen')
})

t.test('a store that goes down breaks the scrub off, and what was found is told', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const files = []
  for (const content of ['a', 'b', 'c', 'd']) files.push(await upload(server, content))
  const [first, second, ...others] = files.sort((a, b) => (a.key < b.key ? -1 : 1)) as [Uploaded, Uploaded]
  let isDown = false
  const fail = () => {
    isDown = true
    return Promise.reject(down())
  }
  const check = () => (isDown ? Promise.reject(down()) : Promise.resolve())
  const store = { ...interfering(server, second, fail), check }
  const { counts, result, exitCode, summary } = await runScrub(server, { store })
  t.same(counts, only({ whole: 1 }))
  t.match(result.interruptedBy, { error: { code: 'storage_unavailable' } })
  t.match(summary, `It had to be broken off (down): objects behind the key ${first.key} were not read.`)
  t.equal(exitCode, 1)
  for (const file of [second, ...others]) t.same(await noted(server, file), { damage: null, read: false })
  t.same(await scrubsOf(server), [])

  await tamperWith(t, server).write(first.key, 'x')
  t.equal((await runScrub(server, { store })).exitCode, 2, 'damage weighs more')
})

t.test('a database that is away for a moment does not end the scrub; one that stays away does', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const file = await upload(server, 'content')
  const line = await openTcpLine(t, server.databaseUrl)
  const client = openDatabase(line.url, 1)
  t.teardown(() => client.close())
  const store = interfering(server, file, async (...args) => {
    line.refuse()
    return server.store.get(...args)
  })
  const away = await runScrub(server, { store, db: client.db })
  t.match(away.result.interruptedBy, { error: { name: /./ } })
  t.match(away.summary, /broken off \(the database does not answer\): no object was read/)
  t.equal(away.exitCode, 1)

  line.mend()
  const comesBack = interfering(server, file, async (...args) => {
    line.refuse()
    setTimeout(() => line.mend(), 300)
    return server.store.get(...args)
  })
  const { counts } = await runScrub(server, { store: comesBack, db: client.db, pauses: [200, 1000, 2000] })
  t.same(counts, only({ whole: 1 }))
})

t.test('no connection to the database is held while bytes are read', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const file = await upload(server, bytesOf(1_000_000))
  const seen: unknown[] = []
  const store = interfering(server, file, async (...args) => {
    const rows = await server.db.execute(sql`
      select state, query from pg_stat_activity
      where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`)
    seen.push(...rows)
    return server.store.get(...args)
  })
  t.same((await runScrub(server, { store })).counts, only({ whole: 1 }))
  t.same(seen, [])
})
