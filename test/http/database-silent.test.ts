import postgres from 'postgres'
import t from 'tap'
import { limits } from '#domain/limits.ts'
import { openRequest } from '../kit/raw-http.ts'
import { startReplica } from '../kit/replica.ts'
import { startTestServer } from '../kit/server.ts'
import { beginForm, beginPut } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'
import { allUnavailable, allWorkAgain, ask, everyKind } from './request-kinds.ts'

/** Milliseconds in which a silent database must be told. */
const tolerated = 20_000

async function uploadsUnderWay({ url }: { url: string }): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^stowage_uploads_in_progress (\d+)$/m.exec(text)?.[1])
}

t.test('silent', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { UPLOAD_LEASE_SECONDS: '6' } })
  const kinds = await everyKind(server)
  const replica = await startReplica(t, server)
  await allWorkAgain(t, kinds, replica)
  const bearer = await server.bearer(2)
  const cookie = await server.cookie(2)
  const reserved = await ask(kinds, 'cookie: reserve', replica)
  const { attachmentId } = (await reserved.json()) as { attachmentId: number }
  const form = beginForm(replica.url, '/v1/attachments', 'file', bearer)
  const put = beginPut(replica.url, `/api/v1/attachments/${attachmentId}/z`, 1, cookie)
  await until('the form is under way', async () => (await server.states()).UploadFromClientToServerInProgress === 1)

  replica.line.freeze()
  const cutOff = [form.send(Buffer.from('x')).then(() => form.finish()), put.send('x').then(() => put.answer)]
  const startedAt = performance.now()
  const waited = await allUnavailable(t, kinds, replica)
  t.ok(waited < tolerated, `the longest took ${waited} ms`)
  for (const answer of await Promise.all(cutOff)) t.match(answer, { status: 503 }, 'an upload under way')
  t.ok(performance.now() - startedAt < tolerated, 'what was under way is told in time, too')
  t.equal(await uploadsUnderWay(replica), 0, 'no slot is taken')
  const late = await allUnavailable(t, kinds, replica)
  t.ok(late < 6_000, `later it takes as long as connecting: ${late} ms`)

  replica.line.mend()
  await allWorkAgain(t, kinds, replica)
  const noneUnderWay = async () => (await server.states()).UploadFromClientToServerInProgress === undefined
  await until('what was cut off has failed', noneUnderWay)
})

t.test('a table that is locked while a form of many files breaks off', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const files = 20
  const part = '--b\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\nx\r\n'
  const socket = openRequest(server.url, 'POST', '/api/v1/messages/1/attachments', {
    ...(await server.cookie(2)),
    'content-type': 'multipart/form-data; boundary=b',
    'content-length': 1_000_000,
  })
  socket.on('error', () => {})
  socket.write(part.repeat(files))
  const uploading = async () => (await server.states()).UploadFromClientToServerInProgress
  await until('all are under way', async () => (await uploading()) === files)
  const database = postgres(server.databaseUrl, { max: 1, onnotice: () => {} })
  await database.begin(async (holding) => {
    await holding`lock table attachments in share mode`
    socket.destroy()
    // One statement asks whether the files are its own still, and one fails the first of them.
    await until('its slot is free', async () => (await uploadsUnderWay(server)) === 0, 2.5 * (limits.statement / 1000))
  })
  await database.end()
})

t.test('silent just when the last byte is stored', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const replica = await startReplica(t, server)
  const form = beginForm(replica.url, '/api/v1/messages/1/attachments', 'files', await server.cookie(2))
  await form.send(Buffer.from('x'))
  await until('the form is under way', async () => (await server.states()).UploadFromClientToServerInProgress === 1)
  replica.line.freeze()
  const startedAt = performance.now()
  const answer = await form.finish()
  t.match(answer, { status: 503 })
  t.match(String(answer.body), /The file has arrived/)
  t.ok(performance.now() - startedAt < tolerated, `told after ${performance.now() - startedAt} ms`)
  t.equal(await uploadsUnderWay(replica), 1, 'the server goes on with it')
  replica.line.mend()
  await until('it is Ready', async () => (await server.states()).ReadyForDownloadFromServerToClient === 1, 10)
  await until('its slot is free', async () => (await uploadsUnderWay(replica)) === 0)
})
