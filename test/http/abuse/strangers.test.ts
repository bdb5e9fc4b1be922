import t from 'tap'
import { metric } from '../../kit/metric.ts'
import { fieldPart, filePart, typeOf, unfinishedForm } from '../../kit/multipart.ts'
import { openRequest, readAnswer } from '../../kit/raw-http.ts'
import { startTestServer } from '../../kit/server.ts'
import { bearerApi, cookieApi } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { leftOnly, newestId } from '../bad-input/remains.ts'
import { startBystander } from './bystander.ts'
import { drip, isQuiet } from './server-at-rest.ts'

const strangers = 100
const uploads = 'stowage_uploads_in_progress'

t.test('uploads to a room by somebody who is not in it hold no slot', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const bystander = await startBystander(server)
  const before = await newestId(server)
  const headers = { ...(await server.cookie(9)), ...typeOf('b'), 'content-length': 2 ** 30 }
  const sockets = Array.from({ length: strangers }, () => openRequest(server.url, 'POST', cookieApi.path, headers))
  const answers = sockets.map((socket) => readAnswer(socket))
  await bystander.isServed(t, 'while they come')
  for (const answer of await Promise.all(answers)) cookieApi.isError(t, answer, 404, /^Message not found$/)
  t.equal(await metric(server, uploads), 0)
  for (const socket of sockets) socket.destroy()
  await isQuiet(t, server)
  const found = await server.db.execute(`select from attachments where id > ${before} and uploader_id = 9`)
  t.equal(found.length, 0, 'no row')
})

t.test('nor do raw bytes for an attachment they may not know of', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_CONCURRENT_UPLOADS: '1' } })
  const reserved = await fetch(`${server.url}/api/v1/attachments`, {
    method: 'POST',
    headers: { ...(await server.cookie(2)), 'content-type': 'application/json' },
    body: JSON.stringify({ messageId: 1, fileName: 'a.bin', fileSize: 100 }),
  })
  const { attachmentId } = (await reserved.json()) as { attachmentId: number }
  const path = `/api/v1/attachments/${attachmentId}/a.bin`
  for (const [user, status] of [
    [9, 404],
    [3, 403],
  ] as const) {
    const headers = { ...(await server.cookie(user)), 'content-length': 100 }
    const answer = await readAnswer(openRequest(server.url, 'PUT', path, headers))
    t.equal(answer.status, status, `user ${user} is answered before the first byte`)
  }
})

t.test('a form whose fields name a place that is not theirs ends at once', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const before = await newestId(server)
  for (const [field, text] of [
    ['message_id', /^Message not found$/],
    ['conversation_id', /^Conversation not found$/],
  ] as const) {
    const form = unfinishedForm([fieldPart(field, '1')], (b) => `--${b}\r\nContent-Disposition: form-data; na`)
    const headers = { ...(await server.bearer(9)), ...form.headers, 'content-length': 2 ** 30 }
    const socket = openRequest(server.url, 'POST', bearerApi.path, headers)
    socket.write(form.body)
    bearerApi.isError(t, await readAnswer(socket), 404, text)
  }
  await leftOnly(t, server, before, [])
  await isQuiet(t, server)
})

t.test('one user holds a quarter of the slots, and gives them back', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts: { rateWindow: 5000 } })
  const bystander = await startBystander(server)
  const form = unfinishedForm([], (b) => `--${b}\r\n${filePart(bearerApi).headers}\r\n\r\n`)
  const headers = { ...(await server.bearer(9)), ...form.headers, 'content-length': 2 ** 30 }
  const sockets = Array.from({ length: strangers }, () => openRequest(server.url, 'POST', bearerApi.path, headers))
  const answers = sockets.map((socket) => readAnswer(socket))
  for (const socket of sockets) socket.write(form.body)
  drip(t, sockets, 500)
  await until('a quarter of the slots is taken', async () => (await metric(server, uploads)) === 25)
  await bystander.isServed(t, 'while one user has all that one user gets')

  const ended = await Promise.all(answers)
  const tooMany = ended.filter(({ status }) => status === 429)
  t.equal(tooMany.length, 75)
  for (const answer of tooMany) {
    bearerApi.isError(t, answer, 429, /too many uploads under way/)
    t.match(answer.headers['retry-after'], /^\d+$/)
  }
  const tooSlow = ended.filter(({ status }) => status === 408)
  t.equal(tooSlow.length, 25)
  for (const answer of tooSlow) bearerApi.isError(t, answer, 408, /too slowly: fewer than 1024 a second over 5 s/)
  for (const socket of sockets) socket.destroy()
  await isQuiet(t, server)
})
