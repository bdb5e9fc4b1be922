import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { purge } from '#deletion/purge.ts'
import { resumeDeletions } from '#deletion/resume-deletions.ts'
import { expireRows } from '#deletion/retention.ts'
import { firstInternalId } from '#domain/ids.ts'
import type { AttachmentState } from '#domain/states.ts'
import { releaseLeases, renewLeases } from '#persistence/leases.ts'
import { deleteObjectRow, findObjectKey, postponePurge, recordUploadId } from '#persistence/objects.ts'
import { findRefusal } from '#persistence/publish-permission.ts'
import { expireInternalMessages } from '#persistence/retention.ts'
import type { Attempt } from '#persistence/schema.ts'
import { findScrubbable, findUnknownKeys, findWithoutKey, recordScrub, recordScrubbed } from '#persistence/scrub.ts'
import { declareRestored, readHold } from '#persistence/server-identity.ts'
import { stateLiterals } from '#persistence/statements.ts'
import { findInState } from '#persistence/transitions.ts'
import { FailedReads } from '#recovery/failed-reads.ts'
import { recover } from '#recovery/recover.ts'
import { endHold } from '#recovery/release-hold.ts'
import { retryVerification } from '#recovery/retry-verification.ts'
import { everyKind } from '../http/request-kinds.ts'
import { list } from '../kit/bearer-api.ts'
import { stowage } from '../kit/command.ts'
import { Session, textFile } from '../kit/cookie-api.ts'
import { send } from '../kit/http-client.ts'
import { startOnOneConnection } from '../kit/replica.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { fillWithAMillion, growing, retentions, special } from './million-rows.ts'
import { type Run, type Step, type Tapped, tapPlans } from './query-plans.ts'
import { inOneLine, writtenPieces } from './source-statements.ts'

/** Rows that a step of a statement may read of one table: the members of a room of 5,000, twice over. */
const mostRows = 10_000

/** As many for a list, of a user in 20,000 rooms. */
const mostRowsOfLists = 25_000

/** Milliseconds that one run may take, on a machine that does much else. */
const longest = 2000

/** Fewer statements, or fewer pieces of statements in the source, mean that they were not all read. */
const [fewestStatements, fewestPieces] = [100, 80]

/** How often each request is made. */
const times = 2

const { busyUser, fullRoom, emptiedMessage, toBeDeleted } = special

/** A second server on the same database, which tells its plans. */
async function startTapped(t: Test, server: TestServer, planCacheMode: string): Promise<[TestServer, Tapped]> {
  const tapped = await tapPlans(t, server.databaseUrl, { plan_cache_mode: planCacheMode })
  const beside = await startOnOneConnection(t, server, tapped.url)
  const cookie: TestServer['cookie'] = async (userId) => {
    const admin = await server.bearer(1, ['admin'])
    const response = await send(beside, 'POST', '/v1/sessions', admin, { userId })
    return { cookie: ((await response.json()) as { cookie: string }).cookie }
  }
  return [{ ...beside, cookie }, tapped]
}

async function isAnswered(t: Test, what: string, asking: Promise<Response>): Promise<Response> {
  const response = await asking
  if (response.status >= 400 && ![403, 404].includes(response.status))
    t.fail(`${what}: ${response.status} ${await response.clone().text()}`)
  await response.clone().arrayBuffer()
  return response
}

/** One request of each kind, and those that request-kinds.ts leaves out. */
async function askEverything(t: Test, server: TestServer): Promise<void> {
  const kinds = await everyKind(server)
  for (const [what, ask] of Object.entries(kinds))
    for (let n = 0; n < times; n += 1) await isAnswered(t, what, ask({ url: server.url } as never))
  await isAnswered(t, 'metrics', fetch(`${server.url}/metrics`))
  await isAnswered(t, 'ready', fetch(`${server.url}/readyz`))
}

/** @param db for what the test itself wants to know */
async function readLists(t: Test, server: TestServer, db: TestServer['db']): Promise<void> {
  const rooms = await db.execute<{ public_id: string }>(sql`select public_id from rooms where id = ${fullRoom}`)
  for (const user of [busyUser, 2, 1_000_001]) {
    const bearer = await server.bearer(user)
    const first = await list(server, bearer, { limit: '100' })
    const near = first.data.at(-1)?.id ?? ''
    const far = await db.execute<{ public_id: string }>(sql`
      select public_id from attachments where room_id in (select room_id from members where user_id = ${user})
        and state = 'ReadyForDownloadFromServerToClient' and deleted_at is null
      order by id limit 1`)
    const last = far[0]?.public_id ?? ''
    const pages: Record<string, string>[] = [
      { starting_after: near },
      { ending_before: near },
      { starting_after: last },
      { ending_before: last },
    ]
    if (user !== 1_000_001) pages.push({ conversation_id: rooms[0]?.public_id ?? '' })
    for (const page of pages)
      for (let n = 0; n < times; n += 1) t.equal((await list(server, bearer, page)).status, 200, JSON.stringify(page))
  }
}

async function useSessions(t: Test, server: TestServer): Promise<void> {
  const session = await Session.of(server, busyUser)
  for (let n = 0; n < times; n += 1) {
    await isAnswered(t, 'list', session.ask('GET', `/messages/${emptiedMessage}/attachments`))
    await isAnswered(t, 'list', session.ask('GET', `/messages/3000001/attachments?limit=2`))
    const id = await session.reserve({ messageId: 3_000_001, contentType: 'text/plain', fileSize: 1 })
    await isAnswered(t, 'patch', session.patch(id, { attachmentState: 'ChecksumCalculationOnClientSideInProgress' }))
    await isAnswered(t, 'patch', session.patch(id, { attachmentState: 'ChecksumCalculationOnClientSideFailed' }))
    await isAnswered(t, 'patch', session.patch(id, { fileName: 'b.txt' }))
    await isAnswered(t, 'put', session.put(id, 'b.txt', 'x'))
    await isAnswered(t, 'history', session.ask('GET', `/attachments/${id}?transitions=true`))
    await isAnswered(t, 'delete', session.ask('DELETE', `/attachments/${id}`))
    await isAnswered(t, 'post', session.post([textFile('a'), textFile('b')], [], emptiedMessage))
  }
  await isAnswered(t, 'end', session.ask('DELETE', '/session'))
}

async function administer(
  t: Test,
  server: TestServer,
  { room, user, message }: (typeof toBeDeleted)[number],
): Promise<void> {
  const bearer = await server.bearer(1, ['admin', 'read', 'write'])
  const ask = (method: string, path: string, json?: unknown) =>
    isAnswered(t, `${method} ${path}`, send(server, method, path, bearer, json))
  const memberIds = Array.from({ length: 5000 }, (_, n) => 1_000_001 + n)
  await ask('PUT', `/v1/rooms/${fullRoom}`, { memberIds: [...memberIds, 1, 2, busyUser], moderatorIds: [] })
  await ask('PUT', '/v1/rooms/77', { memberIds: [78, 79, 80], moderatorIds: [81] })
  await ask('PUT', '/v1/users/79')
  await ask('PUT', '/v1/messages/78', { roomId: 77, authorId: 79 })
  for (let n = 0; n < times; n += 1) {
    await ask('PUT', `/v1/rooms/${fullRoom}/members/${90 + n}`, { moderator: false })
    await ask('DELETE', `/v1/rooms/${fullRoom}/members/${90 + n}`)
    const { id: tokenId } = (await (await ask('POST', '/v1/tokens', { userId: busyUser })).json()) as { id: number }
    const { id } = (await (await ask('POST', '/v1/sessions', { userId: busyUser })).json()) as { id: number }
    await ask('DELETE', `/v1/tokens/${tokenId}`)
    await ask('DELETE', `/v1/sessions/${id}`)
  }
  await ask('DELETE', `/v1/messages/${message}`)
  await ask('DELETE', `/v1/rooms/${room}`)
  await ask('DELETE', `/v1/users/${user}`)
}

/** Twenty of the attempts in a state. */
async function attemptsIn(db: TestServer['db'], state: AttachmentState): Promise<Attempt[]> {
  const rows = await db.execute<{ id: string; attempt: number }>(sql`
    select id, attempt from attachments where state = ${stateLiterals([state])} and deleted_at is null order by id limit 20`)
  return rows.map(({ id, attempt }) => ({ id: Number(id), attempt }))
}

/** @param own for what the test itself wants to know */
async function runWorkers(server: TestServer, own: TestServer['db'], failedRetentionHours: number): Promise<void> {
  const { app, db, store } = server
  const config = { ...server.config, failedRetentionHours }
  const context = { config, db, store, log: app.log, wakePurge() {} }
  while (await resumeDeletions(context));
  const { signal } = new AbortController()
  for (const state of ['UploadFromClientToServerInProgress', 'ChecksumVerificationOnServerSideInProgress'] as const)
    await releaseLeases(db, await attemptsIn(own, state))
  await recover(context)
  const failedReads = new FailedReads(config.uploadLeaseSeconds)
  await retryVerification({ ...context, failedReads }, signal)
  await purge(context, AbortSignal.timeout(1000))
  await expireRows(context)
}

async function scrubSome({ db }: TestServer): Promise<void> {
  const pages = [{ after: '' }, { after: '5' }, { after: '5', olderThanHours: 24 }]
  for (let n = 0; n < times; n += 1)
    for (const page of pages) {
      const { objects } = await findScrubbable(db, { ...page, limit: 1000 })
      for (const object of objects.slice(0, 5)) await recordScrubbed(db, object, n % 2 ? 'missing' : null)
      await findUnknownKeys(db, [...objects.map(({ key }) => key), 'none'])
      await findWithoutKey(db, page.after ? 500_000 : 0, 1000)
    }
  await recordScrub(db, { whole: 1, damaged: 0, missing: 0, orphaned: 0 }, 1)
}

/**
 * Statements of requests with another store, at another time, or of which something goes wrong.
 * @param own for what the test itself wants to know
 */
async function callTheRest({ db }: TestServer, own: TestServer['db']): Promise<void> {
  const state = 'UploadFromClientToServerInProgress'
  const attempts = await attemptsIn(own, state)
  const keys = await own.execute<{ key: string }>(sql`
    select key from objects where purge_at is not null limit ${times}`)
  const messages = await own.execute<{ id: string }>(
    sql`select id from messages where id > ${firstInternalId} limit 100`,
  )
  const messageIds = messages.map(({ id }) => Number(id))
  for (const { key } of keys) {
    await renewLeases(db, attempts, 3600)
    await findInState(db, attempts, state)
    await findRefusal(db, attempts, state, undefined)
    await findObjectKey(db, attempts[0]?.id as number, 1)
    await recordUploadId(db, key, 'an upload')
    await postponePurge(db, key, 1, 1)
    await deleteObjectRow(db, key)
    await expireInternalMessages(db, 0, messageIds)
  }
}

/** @param own for what the test itself does */
async function restore(t: Test, server: TestServer, own: TestServer['db']): Promise<void> {
  const { db } = server
  await declareRestored(db)
  const left = await attemptsIn(own, 'UploadFromClientToServerInProgress')
  await renewLeases(own, left, -7200)
  await db.execute(sql`update database_identity set held_since = now() - interval '1 hour'`)
  const heldSince = (await readHold(db)) as Date
  await endHold(server, heldSince, new AbortController().signal)
  const env = { DATABASE_URL: server.databaseUrl, DATA_DIR: server.config.dataDir }
  for (const words of [['doctor'], ['restored', '--release', '--revoke-credentials']]) {
    const { code, stdout, stderr } = await stowage(t, words, env)
    t.equal(code, 0, `${words.join(' ')}: ${stdout} ${stderr}`)
  }
}

/** What a step reads of a growing table, all its loops together. */
function faultOf(step: Step, most: number): string | undefined {
  const name = step['Relation Name'] ?? step['Index Name']
  if (name === undefined || step['Node Type'] === 'ModifyTable') return undefined
  const isGrowing = growing.some((table) => name === table || name.startsWith(table.replace(/s$/, '')))
  if (!isGrowing) return undefined
  const { 'Rows Removed by Filter': filtered = 0, 'Rows Removed by Index Recheck': unfit = 0 } = step
  const rows = (step['Actual Rows'] + filtered + unfit) * step['Actual Loops']
  return rows > most ? `reads ${rows} rows of ${name} by a ${step['Node Type']}` : undefined
}

function* stepsOf(step: Step): Generator<Step> {
  yield step
  for (const below of step.Plans ?? []) yield* stepsOf(below)
}

function faultsOf(statement: string, runs: readonly Run[]): string[] {
  const most = statement.includes('nearest_rooms') ? mostRowsOfLists : mostRows
  const faults = runs.flatMap(({ milliseconds, plan }) => [
    ...(milliseconds > longest ? [`took ${milliseconds} ms`] : []),
    ...[...stepsOf(plan)].flatMap((step) => faultOf(step, most) ?? []),
  ])
  return [...new Set(faults)].slice(0, 5)
}

/**
 * Postgres plans a prepared statement for its values five times, and then once for any values, unless that plan looks dearer.
 * Here each mode is forced on all statements.
 */
const modes = ['force_custom_plan', 'force_generic_plan']

// Filling the tables takes a while where others are at work.
t.setTimeout(300_000)

t.test('every statement, on a million attachments', async (t) => {
  t.setTimeout(300_000)
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const mark = performance.now()
  const lap = (what: string) => t.comment(`${what} ${Math.round(performance.now() - mark)}`)
  await fillWithAMillion(server.databaseUrl)
  lap('filled')
  const pieces = await writtenPieces()
  t.ok(pieces.length >= fewestPieces, `${pieces.length} pieces of statements`)
  for (const [number, mode] of modes.entries())
    await t.test(mode, async (t) => {
      t.setTimeout(200_000)
      const [tapped, { runs }] = await startTapped(t, server, mode)
      await askEverything(t, tapped)
      lap('asked')
      await readLists(t, tapped, server.db)
      lap('lists')
      await useSessions(t, tapped)
      lap('sessions')
      await administer(t, tapped, toBeDeleted[number] as (typeof toBeDeleted)[number])
      lap('admin')
      await runWorkers(tapped, server.db, retentions[number] as number)
      lap('workers')
      await scrubSome(tapped)
      lap('scrub')
      await callTheRest(tapped, server.db)
      lap('rest')
      await restore(t, tapped, server.db)
      lap('restore')
      t.ok(runs.size >= fewestStatements, `${runs.size} statements`)
      const seen = [...runs.keys()].map(inOneLine)
      for (const piece of pieces)
        if (!seen.some((statement) => statement.includes(piece))) t.fail('not seen', { piece })
      for (const [statement, all] of runs) {
        const faults = faultsOf(statement, all)
        const worst = Math.max(...all.map(({ milliseconds }) => milliseconds))
        if (faults.length > 0) t.fail(`${faults.join('; ')}`, { statement, worst })
        else if (worst > 100) t.comment(`${worst} ms: ${statement.replace(/\s+/g, ' ').slice(0, 150)}`)
      }
    })
})
