import { sql } from 'drizzle-orm'
import t from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { bytesOf } from '../store/bodies.ts'
import { noted, only, runScrub, scrubsOf, tamperWith, upload } from './scrub-run.ts'

/** A store that writes down the keys that are read. */
function watched({ store }: TestServer): { store: ObjectStore; reads: string[] } {
  const reads: string[] = []
  const get: ObjectStore['get'] = (key, options) => {
    reads.push(key)
    return store.get(key, options)
  }
  return { store: { ...store, get }, reads }
}

t.test('--older-than leaves out what was read, but never what was damaged', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const [fresh, old, damaged, unread] = [
    await upload(server, 'a'),
    await upload(server, 'b'),
    await upload(server, 'c'),
    await upload(server, 'd'),
  ]
  await tamperWith(t, server).write(damaged.key, 'x')
  await runScrub(server)
  await server.db.execute(sql`
    update objects set scrubbed_at = now() - interval '121 minutes' where key = ${old.key}`)
  await server.db.execute(sql`
    update objects set scrubbed_at = now() - interval '119 minutes' where key = ${fresh.key}`)
  await server.db.execute(sql`update objects set scrubbed_at = null where key = ${unread.key}`)
  const { store, reads } = watched(server)
  const { counts, exitCode } = await runScrub(server, { store, olderThanHours: 2 })
  t.same(reads, [old.key, damaged.key, unread.key].sort())
  t.same(counts, only({ whole: 2, damaged: 1 }))
  t.equal(exitCode, 2)

  await tamperWith(t, server).write(damaged.key, 'c')
  t.same((await runScrub(server, { olderThanHours: 2 })).counts, only({ whole: 1 }), 'healing is noticed at once')
  const again = watched(server)
  t.same((await runScrub(server, { ...again, olderThanHours: 2 })).counts, only({}))
  t.same(again.reads, [])
})

t.test('a scrub that is asked to stop stops in the middle of an object, and the next one goes on there', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (let n = 0; n < 4; n += 1) await upload(server, bytesOf(2_000_000))
  const { store, reads } = watched(server)
  const stopping = new AbortController()
  const get: ObjectStore['get'] = async (...args) => {
    const stream = await store.get(...args)
    if (reads.length === 3) stream.once('data', () => stopping.abort())
    return stream
  }
  const { counts, result, summary, exitCode, lines } = await runScrub(server, {
    store: { ...store, get },
    signal: stopping.signal,
  })
  t.same(counts, only({ whole: 2 }))
  t.equal(reads.length, 3, 'not tried again')
  t.ok(result.findings.bytes < 6_000_000, `${result.findings.bytes} bytes`)
  t.equal(result.interruptedBy, 'asked')
  t.match(summary, `It was asked to stop: objects behind the key ${reads[1]} were not read.`)
  t.same(lines, [])
  t.equal(exitCode, 1)
  t.same(await scrubsOf(server), [])
  t.same(await noted(server, { id: 0, key: String(reads[2]) }), { damage: null, read: false })

  const rest = watched(server)
  t.same((await runScrub(server, { ...rest, olderThanHours: 1 })).counts, only({ whole: 2 }))
  t.equal(rest.reads[0], reads[2])
  t.same(await scrubsOf(server), [only({ whole: 2 })])
})

t.test('a scrub that is asked to stop before it begins does nothing', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  await upload(server, 'a')
  const { store, reads } = watched(server)
  const { summary, exitCode } = await runScrub(server, { store, signal: AbortSignal.abort() })
  t.match(summary, /It was asked to stop: not all orphans were found, and no object was read\.$/)
  t.equal(exitCode, 1)
  t.same(reads, [])
})

t.test('objects of many pages are each read once, those between them that are not Ready never', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const { id } = await upload(server, 'a')
  await server.db.execute(sql`
    with copies as (
      insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, file_size,
        file_checksum, file_checksum_algorithm, state, attempt, deleted_at)
      select 'copy' || n, message_id, room_id, uploader_id, file_name, content_type, file_size,
        file_checksum, file_checksum_algorithm,
        case when n % 3 = 0 then 'UploadFromClientToServerFailed' else state end, 1,
        case when n % 5 = 0 then now() end
      from attachments, generate_series(1, 3000) n where id = ${id}
      returning id, public_id
    )
    insert into objects (key, attachment_id, attempt, purge_at)
    select 'zz/' || public_id, id, 1, case when substr(public_id, 5)::integer % 7 = 0 then now() end from copies`)
  const { store, reads } = watched(server)
  const { counts } = await runScrub(server, { store })
  const ready = Array.from({ length: 3000 }, (_, index) => index + 1).filter((n) => n % 3 && n % 5)
  t.same(counts, only({ whole: 1, missing: ready.length }), 'those too whose bytes the purge was told to remove')
  const expected = ready.filter((n) => n % 7)
  t.same(new Set(reads.slice(1)), new Set(expected.map((n) => `zz/copy${n}`)))
  t.equal(reads.length, expected.length + 1)
})
