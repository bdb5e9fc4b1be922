import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { makeFolder } from '../kit/command.ts'
import { Session, textFile } from '../kit/cookie-api.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { OwnPostgres } from '../kit/servers/own-postgres.ts'
import { beginPut } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'
import { runScrub } from '../scrub/scrub-run.ts'

const leaseSeconds = 3

/** A server on a primary that a standby follows. */
async function startPair(t: Test, env: Record<string, string> = {}) {
  const folder = await makeFolder(t)
  const folders = [join(folder, 'primary'), join(folder, 'standby')] as const
  for (const name of folders) await mkdir(name)
  const primary = await OwnPostgres.create(folders[0])
  const standby = await primary.copy(folders[1])
  t.teardown(() => Promise.all([primary, standby].map((own) => own.end('SIGQUIT'))))
  await primary.start()
  await standby.follow(primary)
  await standby.start()
  process.env.TEST_DATABASE_URL = primary.url
  const server = await startTestServer(t, {
    store: 'disk',
    env: { UPLOAD_LEASE_SECONDS: String(leaseSeconds), ...env },
  })
  return { primary, standby, server }
}

/** The primary is lost, and the standby, which has its last moments not, takes its place and its address. */
async function failOver({ primary, standby }: { primary: OwnPostgres; standby: OwnPostgres }): Promise<void> {
  await primary.end('SIGQUIT')
  await standby.end()
  await standby.start(primary.port)
  await standby.promote()
}

async function metric(server: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

/** As a client that tries again while it is told to: uploads files. */
async function uploadAtLast(session: Session, ...files: File[]): Promise<number[]> {
  return until('an upload is taken', () =>
    session
      .upload(...files)
      .catch(() => [])
      .then((ids) => ids.length > 0 && ids),
  ) as Promise<number[]>
}

async function stateOf(server: TestServer, id: number): Promise<unknown> {
  const [row] = await server.db.execute(sql`select state from attachments where id = ${id}`)
  return row?.state
}

/** Lets every worker come round, on leases that have run out. */
async function letWorkersTry({ db }: TestServer, id: number): Promise<void> {
  await until('the lease has been over for two rounds', async () => {
    const [row] = await db.execute<{ over: boolean }>(sql`
      select lease_expires_at < now() - interval '2 seconds' as over from attachments where id = ${id}`)
    return row?.over
  })
}

t.test('a standby that lags is promoted', async (t) => {
  const pair = await startPair(t)
  const { primary, standby, server } = pair
  const session = await Session.of(server, 1)
  const [kept = 0, deleted = 0] = await session.upload(textFile('kept.txt'), textFile('deleted.txt'))
  const underWay = await session.reserve({ fileName: 'under-way.txt', fileSize: 12 })
  const slow = beginPut(server.url, `/api/v1/attachments/${underWay}/under-way.txt`, 12, session.headers)
  await slow.send('abcdef')
  await until(
    'its bytes arrive',
    async () => (await stateOf(server, underWay)) === 'UploadFromClientToServerInProgress',
  )
  const forsaken = await session.reserve({ fileName: 'forsaken.txt', fileSize: 12 })
  const broken = beginPut(server.url, `/api/v1/attachments/${forsaken}/forsaken.txt`, 12, session.headers)
  await broken.send('abcdef')
  await until(
    'its bytes arrive',
    async () => (await stateOf(server, forsaken)) === 'UploadFromClientToServerInProgress',
  )

  await primary.isFollowedBy(standby)
  await standby.stopFollowing()
  await slow.send('ghijkl')
  t.equal((await slow.answer).status, 200)
  broken.socket.destroy()
  await until('it has failed', async () => (await stateOf(server, forsaken)) === 'UploadFromClientToServerFailed')
  const lost = await session.upload(textFile('lost-1.txt'), textFile('lost-2.txt'))
  t.equal((await session.ask('DELETE', `/attachments/${deleted}`)).status, 200)
  await until('its bytes are gone', async () => (await server.unpurged()) === 0)

  await failOver(pair)
  const [fresh = 0] = await uploadAtLast(session, textFile('fresh.txt', 'fresh'))
  t.ok(fresh > 1_000_000, 'ids that may have been given out are passed over')
  for (const id of lost) t.equal((await session.ask('GET', `/attachments/${id}`)).status, 404)
  t.equal(await metric(server, 'stowage_held'), 1)
  t.equal((await fetch(`${server.url}/readyz`)).status, 200, 'uploads and downloads go on')
  t.equal(await (await session.download(fresh, 'fresh.txt')).text(), 'fresh')

  const missing = await session.download(deleted, 'deleted.txt')
  t.equal(missing.status, 503, 'deleted after the last that the standby has: its row is back, its bytes are not')
  t.match(await missing.text(), /missing/)

  await letWorkersTry(server, underWay)
  t.equal(await stateOf(server, underWay), 'UploadFromClientToServerInProgress', 'nobody fails it')
  t.equal((await session.ask('DELETE', `/attachments/${kept}`)).status, 200)
  const { objects } = await server.remains()

  const { result, counts, summary } = await runScrub(server)
  t.match(counts, { missing: 1, orphaned: 2 }, 'what was deleted; what was lost')
  t.strictSame(result.hold, { isReleased: true, kept: 1 })
  t.match(summary, /1 .*kept.*hold is over/)
  t.equal(objects.length, 5, 'until then nothing was removed: kept, under way, twice lost, fresh')
  t.equal(await (await session.download(underWay, 'under-way.txt')).text(), 'abcdefghijkl')
  await until(
    'what did not arrive fails',
    async () => (await stateOf(server, forsaken)) === 'UploadFromClientToServerFailed',
  )
  await until('what was deleted meanwhile is removed', async () => (await server.remains()).objects.length === 4)
  t.equal(await metric(server, 'stowage_held'), 0)
})

t.test('AFTER_FAILOVER=continue, on a standby that has everything', async (t) => {
  const pair = await startPair(t, { AFTER_FAILOVER: 'continue' })
  const { primary, standby, server } = pair
  const session = await Session.of(server, 1)
  const [deleted = 0] = await session.upload(textFile('a.txt'))
  await primary.isFollowedBy(standby)
  await failOver(pair)
  const [fresh = 0] = await uploadAtLast(session, textFile('b.txt'))
  t.ok(fresh > 1_000_000)
  t.equal(await metric(server, 'stowage_held'), 0)
  t.equal((await session.ask('DELETE', `/attachments/${deleted}`)).status, 200)
  await until('its bytes are gone', async () => (await server.remains()).objects.length === 1)
})
