import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '#persistence/connection/client.ts'
import { buildWorker } from '#worker.ts'
import { isBearerError } from '../kit/bearer-api.ts'
import { startReplica } from '../kit/replica.ts'
import { startTestServer } from '../kit/server.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'
import { noted, remove, runScrub, tamperWith, upload } from '../scrub/scrub-run.ts'

/** Longer than the time limit of the question, and much shorter than a scraper's patience. */
const scrapeLimit = 5000

const noTransfers = { stowage_downloads_in_progress: 0, stowage_uploads_in_progress: 0 }

/** What a scrape says of Stowage, in the text format: `name{labels}` and value; but for the connections, ours among them. */
async function scrape(url: string): Promise<Record<string, number>> {
  const response = await fetch(`${url}/metrics`)
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  const samples = (await response.text()).matchAll(/^(stowage_(?!connections)\S+) (\S+)$/gm)
  return Object.fromEntries(Array.from(samples, ([, name, value]) => [name, Number(value)]))
}

/** What a scrape says once it is as it should be: the database is asked once a second. */
async function scrapeWhen(url: string, isRight: (said: Record<string, number>) => boolean) {
  let said: Record<string, number> = {}
  await until('a scrape says what is so now', async () => {
    said = await scrape(url)
    return isRight(said)
  })
  return said
}

t.test('before and after scrubs', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  t.same(await scrape(server.url), {
    stowage_database_up: 1,
    stowage_held: 0,
    stowage_objects_damaged: 0,
    stowage_downloads_in_progress: 0,
    stowage_uploads_in_progress: 0,
  })

  const [whole, damaged, missing] = [
    await upload(server, 'whole'),
    await upload(server, 'damaged'),
    await upload(server, 'missing'),
  ]
  await tamperWith(t, server).write(damaged.key, 'DAMAGED')
  await tamperWith(t, server).write('ab/abcdef', 'orphan')
  await server.store.remove(missing.key)
  const before = Date.now() / 1000
  await runScrub(server)
  const hasScrub = (said: Record<string, number>) => said.stowage_scrub_last_end_timestamp_seconds !== undefined
  const { stowage_scrub_last_end_timestamp_seconds: end = 0, ...seen } = await scrapeWhen(server.url, hasScrub)
  t.ok(end > before - 5 && end < Date.now() / 1000 + 5, String(end))
  t.same(seen, {
    stowage_database_up: 1,
    stowage_held: 0,
    stowage_objects_damaged: 2,
    stowage_downloads_in_progress: 0,
    stowage_uploads_in_progress: 0,
    'stowage_scrub_last_objects{result="whole"}': 1,
    'stowage_scrub_last_objects{result="damaged"}': 1,
    'stowage_scrub_last_objects{result="missing"}': 1,
    'stowage_scrub_last_objects{result="orphaned"}': 1,
  })
  t.match(await noted(server, whole), { damage: null })

  await remove(server, damaged.id)
  await scrapeWhen(server.url, (said) => said.stowage_objects_damaged === 1)
  await server.store.remove('ab/abcdef')
  await tamperWith(t, server).write(missing.key, 'missing')
  await runScrub(server)
  const isWell = (said: Record<string, number>) => said.stowage_objects_damaged === 0
  t.match(await scrapeWhen(server.url, isWell), {
    'stowage_scrub_last_objects{result="whole"}': 2,
    'stowage_scrub_last_objects{result="missing"}': 0,
    'stowage_scrub_last_objects{result="orphaned"}': 0,
  })
})

t.test('the text, for anybody', async (t) => {
  const { url } = await startTestServer(t, { store: 'disk' })
  const second = await startTestServer(t, { store: 'disk' })
  for (const address of [url, second.url]) {
    const response = await fetch(`${address}/metrics`)
    t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    const text = await response.text()
    t.match(text, /^# HELP stowage_objects_damaged \S.*\n# TYPE stowage_objects_damaged gauge$/m)
    t.match(text, /^process_resident_memory_bytes \d+$/m)
    t.match(text, /^nodejs_eventloop_lag_seconds \S+$/m)
    const names = Array.from(text.matchAll(/^# TYPE (\S+)/gm), ([, name]) => name)
    t.equal(new Set(names).size, names.length, 'each metric once')
  }
  t.equal((await fetch(`${url}/metrics`, { method: 'HEAD' })).status, 200)
  await isBearerError(t, await fetch(`${url}/metrics`, { method: 'POST' }), 405, 'invalid_request_error')
})

t.test('uploads in progress', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const inProgress = async () => (await scrape(server.url)).stowage_uploads_in_progress
  const form = beginForm(server.url, '/v1/attachments', 'file', await server.bearer(1))
  await until('the upload has begun', async () => (await inProgress()) === 1)
  await form.send(Buffer.from('content'))
  t.equal((await form.finish()).status, 201)
  await until('the upload has ended', async () => (await inProgress()) === 0)
})

t.test('a worker tells the same, but for uploads', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const database = openDatabase(server.databaseUrl)
  const app = await buildWorker({ config: server.config, database, store: server.store })
  t.teardown(async () => {
    await app.close()
    await database.close()
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.same(await scrape(url), { stowage_database_up: 1, stowage_held: 0, stowage_objects_damaged: 0 })
})

t.test('the database is down', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  await runScrub(server)
  const replica = await startReplica(t, server)
  t.match(await scrape(replica.url), { stowage_database_up: 1, stowage_objects_damaged: 0 })
  const check = async (what: string) => {
    await until('it is noticed', async () => {
      const askedAt = performance.now()
      const said = await scrape(replica.url)
      t.ok(performance.now() - askedAt < scrapeLimit, `${what}: within the time limit`)
      if (said.stowage_database_up === 1) return false
      t.same(said, { stowage_database_up: 0, ...noTransfers }, what)
      return true
    })
  }
  replica.line.refuse()
  await check('stopped')
  replica.line.mend()
  await until('it answers again', async () => (await scrape(replica.url)).stowage_database_up === 1)

  replica.line.freeze()
  await check('silent')
  await check('silent still')
  replica.line.mend()
  await until('it answers again', async () => (await scrape(replica.url)).stowage_database_up === 1)
})

t.test('a database that is not what it should be', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  await server.db.execute(sql`drop table scrubs`)
  t.same(await scrape(server.url), { stowage_database_up: 0, ...noTransfers })
})

t.test('however many scrape, the process is looked at once a second', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const startedAt = performance.now()
  const texts = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(`${server.url}/metrics`)).text()))
  const seconds = (performance.now() - startedAt) / 1000
  const looks = new Set(texts.map((text) => /^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]))
  t.ok(looks.size <= 1 + seconds, `${looks.size} looks in ${seconds} s`)
})
