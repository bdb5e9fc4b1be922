import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { openTcpLine } from '../kit/tcp-line.ts'
import { until } from '../kit/until.ts'
import { errorBody, openFaultProxy } from '../store/fault-proxy.ts'
import { addressOf, type Caller, type Errand, type Load, startLoad } from './load.ts'

/** Seconds in which a client is told that the store does not answer. */
const toldWithin = 20
/** Seconds after which everything works again once the store does, on a busy machine: server, line and load share a process. */
const backWithin = 20
const env = { UPLOAD_LEASE_SECONDS: '3' }

// Each has a server, a bucket and a line of its own, and mostly waits.
t.jobs = 2

async function startLoaded(t: Test, S3_ENDPOINT: string) {
  const server = await startTestServer(t, { store: 's3', env: { ...env, S3_ENDPOINT } })
  const caller = { url: server.url, ...(await server.cookie(1)) }
  const load = startLoad(caller)
  t.teardown(() => load.stop())
  await eachEndsAfter(load, performance.now(), succeeded, 30)
  return { server, load, caller }
}

const succeeded = (status: number | undefined) => status === 200 || status === 206

/** Resolves when each errand was sent after `since` and ended like this. */
async function eachEndsAfter(
  { errands }: Load,
  since: number,
  isRight: (status: number | undefined) => boolean,
  seconds: number,
): Promise<void> {
  const isDone = ({ outcomes }: Errand) => outcomes.some(({ status, sentAt }) => sentAt >= since && isRight(status))
  const missing = () => errands.filter((errand) => !isDone(errand)).map(describe)
  const describe = ({ name, outcomes }: Errand) => {
    const last = outcomes.slice(-3).map(({ status, sentAt, seconds }) => {
      return `${status} after ${seconds.toFixed(1)} s, sent at ${((sentAt - since) / 1000).toFixed(1)} s`
    })
    return `${name} (${last.join(', ')})`
  }
  await until('every errand is done', () => missing().length === 0, seconds).catch((error) => {
    throw new Error(`${error.message}: ${missing().join('; ')}`)
  })
}

/** Asserts what every answer of the load must have been: right, or told in time that it cannot be given now. */
function answeredInTime(t: Test, { errands }: Load, failures: readonly (number | undefined)[]): void {
  for (const { name, outcomes } of errands) {
    const wrong = outcomes.filter(({ status }) => !succeeded(status) && !failures.includes(status))
    t.same(wrong, [], `${name}: no other answer`)
    const slowest = Math.max(...outcomes.map(({ seconds }) => seconds))
    t.ok(slowest < toldWithin, `${name}: ${slowest.toFixed(1)} s`)
  }
}

/** Asserts that what was acknowledged is there, that nothing else is, and that nothing is held any more. */
async function nothingLostOrLeft(t: Test, server: TestServer, { kept, gone }: Load, caller: Caller): Promise<void> {
  const headers = { cookie: caller.cookie }
  for (const [id, bytes] of kept) {
    const response = await fetch(addressOf(caller, id), { headers })
    const isWhole = bytes.equals(Buffer.from(await response.arrayBuffer()))
    if (response.status !== 200 || !isWhole) t.fail(`file ${id} was acknowledged and is lost: ${response.status}`)
  }
  for (const id of gone) {
    const { status } = await fetch(addressOf(caller, id), { headers })
    if (status !== 404) t.fail(`file ${id} was deleted and is there: ${status}`)
  }
  t.ok(kept.size > 0 && gone.size > 0, `${kept.size} files kept, ${gone.size} deleted`)

  await until('no attempt is under way', async () => {
    const rows = await server.db.execute(sql`
      select from attachments where lease_expires_at is not null and deleted_at is null`)
    return rows.length === 0
  })
  const ready = await server.db.execute<{ key: string }>(sql`
    select o.key from attachments a join objects o on o.attachment_id = a.id and o.attempt = a.attempt
    where a.state = 'ReadyForDownloadFromServerToClient' and a.deleted_at is null and o.purge_at is null`)
  const expected = { objects: ready.map(({ key }) => key).toSorted(), uploads: [] }
  const remains = async () => {
    const { objects, uploads } = await server.remains()
    return { objects: objects.toSorted(), uploads }
  }
  await until('nothing is left over', async () => {
    const { objects, uploads } = await remains()
    return objects.length === expected.objects.length && uploads.length === 0
  }).catch(() => {})
  t.strictSame(await remains(), expected, 'each object has a file, and no upload is left')
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  t.match(metrics, /^stowage_uploads_in_progress 0$/m, 'every slot is free')
}

for (const fault of ['freeze', 'refuse', 'close'] as const)
  t.test(`a store that comes to ${fault}, under load`, { skip: skipWithoutS3, buffered: true }, async (t) => {
    const line = await openTcpLine(t, process.env.S3_ENDPOINT ?? '')
    const { server, load, caller } = await startLoaded(t, line.url)
    const brokenAt = performance.now()
    line[fault]()
    const unharmed = load.errands.filter(({ name }) => name.endsWith('deletion'))
    const errands = load.errands.filter((errand) => !unharmed.includes(errand))
    await eachEndsAfter({ ...load, errands }, brokenAt, (status) => status === 503, 2 * toldWithin)
    await until('readiness tells', async () => (await fetch(`${server.url}/readyz`)).status === 503, 5)
    line.mend()
    await eachEndsAfter({ ...load, errands }, performance.now(), succeeded, backWithin)
    await until('readiness tells', async () => (await fetch(`${server.url}/readyz`)).status === 200, backWithin)
    await load.stop()
    answeredInTime(t, load, [503, undefined])
    await nothingLostOrLeft(t, server, load, caller)
  })

t.test('a store that is slow, under load', { skip: skipWithoutS3, buffered: true }, async (t) => {
  const line = await openTcpLine(t, process.env.S3_ENDPOINT ?? '')
  const { server, load, caller } = await startLoaded(t, line.url)
  const slowFrom = performance.now()
  line.delay(300)
  await eachEndsAfter(load, slowFrom, succeeded, 2 * toldWithin)
  line.delay(0)
  await load.stop()
  answeredInTime(t, load, [])
  await nothingLostOrLeft(t, server, load, caller)
})

t.test('a store that is full, under load', { skip: skipWithoutS3, buffered: true }, async (t) => {
  const proxy = await openFaultProxy(t, process.env.S3_ENDPOINT ?? '')
  const { server, load, caller } = await startLoaded(t, proxy.endpoint)
  const fullFrom = performance.now()
  proxy.fault = (exchange) =>
    ['PutObject', 'UploadPart', 'CompleteMultipartUpload'].includes(exchange.operation)
      ? exchange.answer(507, errorBody('XMinioStorageFull'))
      : exchange.pass()
  const isUpload = ({ name }: Errand) => /form|put/.test(name)
  await eachEndsAfter({ ...load, errands: load.errands.filter(isUpload) }, fullFrom, (status) => status === 503, 20)
  const others = load.errands.filter((errand) => /download|range/.test(errand.name))
  await eachEndsAfter({ ...load, errands: others }, performance.now(), succeeded, 20)
  proxy.fault = (exchange) => exchange.pass()
  await eachEndsAfter(load, performance.now(), succeeded, backWithin)
  await load.stop()
  answeredInTime(t, load, [503])
  const [row] = await server.db.execute<{ count: string }>(sql`
    select count(*) from attachments where failure_reason like '%no space left%'`)
  t.ok(Number(row?.count) > 0, 'the history tells why')
  await nothingLostOrLeft(t, server, load, caller)
})
