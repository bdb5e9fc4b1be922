import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { limits } from '#domain/limits.ts'
import { putMember, putRoom } from '#rooms/rooms.ts'
import { Session } from '../kit/cookie-api.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'

interface Listed {
  attachments: { attachmentId: number; fileName: string }[]
  hasMore?: true
}

async function page(session: Session, query = ''): Promise<Listed> {
  const response = await session.ask('GET', `/messages/1/attachments${query}`)
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as Listed
}

async function manyReserved({ db }: TestServer, count: number): Promise<void> {
  await db.execute(sql`
    insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, declared_size,
      file_checksum_algorithm, state, attempt)
    select 'r' || lpad(n::text, 15, 'x'), 1, 1, 1, 'f' || n, 'text/plain', 1, 'sha256', 'Initial', 0
    from generate_series(1, ${count}::integer) n`)
}

t.test('the attachments of a message come in pages', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { ATTACHMENTS_PER_MESSAGE: '5000' } })
  const session = await Session.of(server, 2)
  await manyReserved(server, 2 * limits.messagePage)
  const first = await page(session)
  t.equal(first.attachments.length, limits.messagePage)
  t.equal(first.hasMore, true)
  const second = await page(session, `?after=${first.attachments.at(-1)?.attachmentId}`)
  t.equal(second.attachments.length, limits.messagePage)
  t.notOk('hasMore' in second, 'the last page says nothing of more')
  const names = [...first.attachments, ...second.attachments].map(({ fileName }) => fileName)
  t.equal(new Set(names).size, 2 * limits.messagePage)
  t.strictSame(
    (await page(session, '?limit=2&after=0')).attachments.map(({ fileName }) => fileName),
    ['f1', 'f2'],
  )
  for (const query of [
    'limit=0',
    'limit=1001',
    'limit=x',
    'limit=1e2',
    'after=-1',
    'after=99999999999999999',
    'after=',
  ])
    t.equal((await session.ask('GET', `/messages/1/attachments?${query}`)).status, 400, query)
})

t.test('the history has its latest steps', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 1 })
  await server.db.execute(sql`
    insert into transitions (attachment_id, attempt, "from", "to", reason, actor)
    select ${id}::bigint, 0, 'Initial', 'Initial', n::text, 'test' from generate_series(1, ${limits.transitionsPage}::integer) n`)
  const history = (await session.metadata(id, '?include=transitions')) as { hasMoreTransitions?: true } & Awaited<
    ReturnType<Session['metadata']>
  >
  t.equal(history.transitions?.length, limits.transitionsPage)
  t.equal(history.transitions?.at(-1)?.reason, String(limits.transitionsPage))
  t.equal(history.hasMoreTransitions, true)
  t.notOk(
    'hasMoreTransitions' in (await session.metadata(await session.reserve({ fileSize: 1 }), '?include=transitions')),
  )
})

t.test('a message takes only so many attachments', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { ATTACHMENTS_PER_MESSAGE: '3' } })
  const session = await Session.of(server, 2)
  const file = (name: string) => new File(['x'], name)
  const [first] = await session.upload(file('1'), file('2'))
  const two = await session.post([file('3'), file('4')])
  t.equal(two.status, 409)
  t.match(await two.json(), { errorText: /has 3 attachments/, httpStatusCode: 409 })
  t.match(
    await server.states(),
    { ReadyForDownloadFromServerToClient: 2, UploadFromClientToServerFailed: 1 },
    'all or none',
  )
  t.equal((await session.announce({ fileSize: 1 })).status, 409)
  t.equal((await session.ask('DELETE', `/attachments/${first}`)).status, 200)
  t.equal((await session.announce({ fileSize: 1 })).status, 201, 'a place is free again')
})

t.test('a client goes to and fro between its own states only so often', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 1 })
  const states = ['ChecksumCalculationOnClientSideInProgress', 'ChecksumCalculationOnClientSideFailed']
  const flip = (turn: number) => session.json('PATCH', `/attachments/${id}`, { attachmentState: states[turn % 2] })
  for (let turn = 0; turn < limits.clientSideMoves; turn += 1) t.equal((await flip(turn)).status, 200)
  const refused = await flip(limits.clientSideMoves)
  t.equal(refused.status, 409)
  t.match(await refused.json(), { errorText: /moved 100 times/ })
  t.equal((await session.put(id, 'a.txt', 'x')).status, 200, 'its bytes are still taken')
})

interface Page {
  has_more: boolean
  data: { id: string; filename: string }[]
}

async function list({ url }: TestServer, headers: Record<string, string>, query = ''): Promise<Page> {
  const response = await fetch(`${url}/v1/attachments?${query}`, { headers })
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as Page
}

const namesOf = ({ data }: Page) => data.map(({ filename }) => filename)

t.test('who follows the newest id sees a slow upload too', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const bearer = await server.bearer(2)
  await session.upload(new File(['x'], 'early.txt'))
  const slow = beginForm(server.url, '/api/v1/messages/1/attachments', 'files', session.headers, {
    fileName: 'slow.txt',
  })
  await slow.send(Buffer.from('x'))
  await until('it has begun', async () => (await server.states()).UploadFromClientToServerInProgress === 1)
  await session.upload(new File(['x'], 'quick.txt'))
  const seen = await list(server, bearer)
  t.strictSame(namesOf(seen), ['quick.txt', 'early.txt'])
  t.equal((await slow.finish()).status, 200)
  t.strictSame(namesOf(await list(server, bearer, `ending_before=${seen.data[0]?.id}`)), ['slow.txt'])
  t.strictSame(namesOf(await list(server, bearer)), ['slow.txt', 'quick.txt', 'early.txt'])
  t.strictSame(namesOf(await list(server, bearer, `starting_after=${seen.data[0]?.id}`)), ['early.txt'])
})

t.test('what was Ready before there were positions comes after what became Ready since', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const bearer = await server.bearer(2)
  await session.upload(new File(['x'], '1'))
  await session.upload(new File(['x'], '2'))
  await server.db.execute(sql`update attachments set ready_position = null`)
  await session.upload(new File(['x'], '3'))
  const all = await list(server, bearer)
  t.strictSame(namesOf(all), ['3', '2', '1'])
  const walk = async (query: string) => namesOf(await list(server, bearer, query))
  t.strictSame(await walk(`limit=1&starting_after=${all.data[0]?.id}`), ['2'])
  t.strictSame(await walk(`limit=1&ending_before=${all.data[2]?.id}`), ['2'])
})

/** Rooms of user 2, in each of which stand `each` Ready attachments, the rooms taking turns. */
async function manyRooms({ db }: TestServer, rooms: number, each: number): Promise<void> {
  await putRoom(db, 1000, { memberIds: [2], moderatorIds: [] })
  await db.execute(sql`
    insert into rooms (id, public_id) select 1000 + n, 'room' || lpad(n::text, 12, 'x') from generate_series(1, ${rooms}::integer) n`)
  await db.execute(sql`insert into members (room_id, user_id) select id, 2 from rooms where id > 1000 and id < 1000000`)
  await db.execute(sql`
    insert into messages (id, public_id, room_id, author_id)
    select id, 'msg' || lpad(id::text, 13, 'x'), id, 1 from rooms where id > 1000 and id < 1000000`)
  await db.execute(sql`
    insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, file_size, file_checksum,
      file_checksum_algorithm, state, attempt, ready_position)
    select 'a' || lpad((n * 1000000 + r.id)::text, 15, 'x'), r.id, r.id, 1, n || '-' || r.id, 'text/plain', 1, 'ab', 'sha256',
      'ReadyForDownloadFromServerToClient', 1, nextval('ready_positions')
    from generate_series(1, ${each}::integer) n, rooms r where r.id > 1000 and r.id < 1000000 order by n, r.id`)
  for (const table of ['attachments', 'members', 'rooms', 'messages']) await db.execute(sql.raw(`analyze ${table}`))
}

async function walkAll(t: Test, server: TestServer, bearer: Record<string, string>): Promise<string[]> {
  const names: string[] = []
  let query = 'limit=100'
  while (true) {
    const found = await list(server, bearer, query)
    names.push(...namesOf(found))
    if (!found.has_more) return names
    query = `limit=100&starting_after=${found.data.at(-1)?.id}`
    if (names.length > 2000) t.fail('it does not end')
  }
}

t.test('a page over very many rooms', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const bearer = await server.bearer(2)
  await manyRooms(server, 300, 4)
  const names = await walkAll(t, server, bearer)
  t.equal(names.length, 1200)
  t.equal(new Set(names).size, 1200, 'each once')
  const newestFirst = (name: string) => name.split('-').map(Number) as [number, number]
  const sorted = [...names].sort(
    (a, b) => newestFirst(b)[0] - newestFirst(a)[0] || newestFirst(b)[1] - newestFirst(a)[1],
  )
  t.strictSame(names, sorted)
  await t.test('what is hidden in one room hides nothing of the others', async (t) => {
    await server.db.execute(sql`update messages set deleted_at = now() where id > 1250 and id < 1000000`)
    t.equal((await walkAll(t, server, bearer)).length, 1000)
    await server.db.execute(sql`update messages set deleted_at = null where id > 1250 and id < 1000000`)
  })
  await t.test('a room that was left is not in it', async (t) => {
    await server.db.execute(sql`delete from members where room_id = 1001 and user_id = 2`)
    t.equal((await walkAll(t, server, bearer)).length, 1196)
    await putMember(server.db, 1001, 2, false)
  })
})

t.test('a page over 20,000 rooms comes in time', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const bearer = await server.bearer(2)
  await manyRooms(server, 20_000, 3)
  await list(server, bearer)
  const began = performance.now()
  t.equal((await list(server, bearer, 'limit=100')).data.length, 100)
  const took = performance.now() - began
  t.ok(took < 2000, `${took.toFixed()} ms`)
  t.comment(`20,000 rooms: ${took.toFixed()} ms`)
})
