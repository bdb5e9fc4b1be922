import { sql } from 'drizzle-orm'
import t from 'tap'
import { type AttachmentState, attachmentStates, clientSideStates, legalMoves } from '#domain/states.ts'
import { isError, type Metadata, Session, textFile } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { beginPut } from '../../kit/slow-upload.ts'
import { until } from '../../kit/until.ts'
import { hasHistory, hexOf, isUntouched, rowOf } from './reservations.ts'

const [computing, computingFailed] = clientSideStates
const checksum = hexOf('sha256', 'content')
const other = hexOf('sha256', 'other')

/** A row in any state, as if it had come there by itself. */
async function reservedIn(server: TestServer, session: Session, state: AttachmentState): Promise<number> {
  const id = await session.reserve({ fileSize: 7 })
  const attempt = state === 'Initial' || clientSideStates.some((name) => name === state) ? 0 : 1
  const leased = state.endsWith('ServerInProgress') || state.endsWith('ServerSideInProgress')
  await server.db.execute(sql`
    update attachments set state = ${state}, attempt = ${attempt}, file_size = 7, file_checksum = ${checksum},
      lease_expires_at = ${leased ? sql`now() + interval '1 hour'` : null} where id = ${id}`)
  return id
}

t.test('the moves a client may ask for are those of the table, from every state', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  for (const from of attachmentStates) {
    for (const to of clientSideStates) {
      const id = await reservedIn(server, session, from)
      const response = await session.patch(id, { attachmentState: to })
      if (legalMoves[from].includes(to)) {
        t.equal(response.status, 200, `${from} to ${to}`)
        t.match(await readJson<Metadata>(response), { attachmentState: to, attachmentId: id })
      } else {
        await isError(t, response, 409, new RegExp(`in state ${from}: it cannot move to ${to}`))
        t.match(await rowOf(server, id), { state: from })
      }
    }
  }
})

t.test('the checksum may be declared as long as no bytes are there or on their way', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  for (const state of attachmentStates) {
    const id = await reservedIn(server, session, state)
    const response = await session.patch(id, { fileChecksum: other, fileName: 'b.txt' })
    const [row] = await server.db.execute(sql`
      select state, declared_checksum as declared, file_name as name from attachments where id = ${id}`)
    const isTaken = legalMoves[state].includes('UploadFromClientToServerInProgress')
    t.equal(response.status, isTaken ? 200 : 409, state)
    const now = isTaken ? { declared: other, name: 'b.txt' } : { declared: null, name: 'a.txt' }
    t.strictSame({ ...row }, { state, ...now }, 'all of it or nothing')
  }
})

t.test('everything at once', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  t.match(await readJson(await session.patch(id, { attachmentState: computing })), { fileChecksum: null })
  const failed = await session.patch(id, { attachmentState: computingFailed, fileChecksum: other, fileName: 'e\u0301' })
  t.match(await readJson(failed), { attachmentState: computingFailed, fileChecksum: other, fileName: 'é' })
  await isError(
    t,
    await session.patch(id, { attachmentState: computingFailed, fileChecksum: checksum, fileName: 'b' }),
    409,
    /cannot move/,
  )
  t.match(await session.metadata(id), { fileChecksum: other, fileName: 'é' }, 'nothing of what was refused')
  await isError(t, await session.patch(id, { attachmentState: computing, fileName: 'a/b' }), 400, /path separator/)
  t.match(await session.metadata(id), { attachmentState: computingFailed, fileName: 'é' })
  await session.patch(id, { attachmentState: computing, fileChecksum: checksum.toUpperCase() })
  t.match(await session.metadata(id), { attachmentState: computing, fileChecksum: checksum })
  await hasHistory(t, server, id, [['Initial', computing, computingFailed, computing]])
  t.equal((await session.put(id, 'é', 'content')).status, 200, 'and then its bytes')
})

t.test('of many who move it at once one wins', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const responses = await Promise.all(
    Array.from({ length: 10 }, () => session.patch(id, { attachmentState: computing })),
  )
  const statuses = responses.map(({ status }) => status).sort()
  t.strictSame(statuses, [200, ...Array(9).fill(409)])
  await hasHistory(t, server, id, [['Initial', computing]])
})

t.test('a rename is taken in any state, under the rules of names', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  for (const state of attachmentStates) {
    const id = await reservedIn(server, session, state)
    t.match(await readJson(await session.patch(id, { fileName: 'neu 🙂.txt' })), { fileName: 'neu 🙂.txt' })
    await isError(t, await session.patch(id, { fileName: '' }), 400, /is missing/)
  }
  const [uploaded = 0] = await session.upload(textFile())
  await session.patch(uploaded, { fileName: 'b.txt' })
  t.equal((await session.download(uploaded, 'a.txt')).status, 404)
  t.equal(await (await session.download(uploaded, 'b.txt')).text(), 'content')
})

t.test('a rename while the bytes arrive does not disturb them', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  const put = beginPut(server.url, `/api/v1/attachments/${id}/a.txt`, 7, session.headers)
  await put.send('cont')
  await until('it has begun', async () => (await rowOf(server, id))?.isLeased)
  t.equal((await session.patch(id, { fileName: 'b.txt' })).status, 200)
  await put.send('ent')
  t.equal((await put.answer).status, 200)
  t.equal(await (await session.download(id, 'b.txt')).text(), 'content')
})

t.test('what is not as documented changes nothing', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 2)
  const id = await session.reserve({ fileSize: 7 })
  for (const [fields, text] of [
    [{}, /Nothing is to be changed/],
    [{ fileSize: 8 }, /Nothing is to be changed/],
    [{ attachmentState: 'Initial' }, /not as documented.*attachmentState/],
    [{ attachmentState: 'ReadyForDownloadFromServerToClient' }, /not as documented.*attachmentState/],
    [{ attachmentState: 'UploadFromClientToServerInProgress' }, /not as documented.*attachmentState/],
    [{ attachmentState: 'Deleted' }, /not as documented.*attachmentState/],
    [{ attachmentState: null }, /not as documented.*attachmentState/],
    [{ attachmentState: computing, fileChecksum: 'abc' }, /sha256 in 64 hex digits/],
    [{ fileChecksum: '' }, /sha256 in 64 hex digits/],
    [{ fileName: 7 }, /not as documented.*fileName/],
    [[], /not as documented/],
  ] as const)
    await isError(t, await session.patch(id, fields), 400, text)
  await isError(t, await session.ask('PATCH', `/attachments/${id}`), 400, /not as documented/)
  await isUntouched(t, server, id)
  t.match(await session.metadata(id), { fileName: 'a.txt', fileSize: 7, fileChecksum: null })
})

t.test('the uploader and the moderators may change it, other members may not', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const id = await (await Session.of(server, 2)).reserve({ fileSize: 7 })
  const change = async (userId: number) => (await Session.of(server, userId)).patch(id, { fileName: `${userId}.txt` })
  await isError(t, await change(3), 403, /Only the uploader or a moderator/)
  await isError(t, await change(9), 404, /^Attachment not found$/)
  await isUntouched(t, server, id)
  t.match(await readJson(await change(1)), { fileName: '1.txt' })
  t.match(await readJson(await change(2)), { fileName: '2.txt' })
})
