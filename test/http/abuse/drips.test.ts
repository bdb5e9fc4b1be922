import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { Session } from '../../kit/cookie-api.ts'
import { startTestServer } from '../../kit/server.ts'
import { beginForm, beginPut } from '../../kit/slow-upload.ts'
import { cookieApi, surfaces } from '../../kit/surfaces.ts'
import { leftOnly, newestId, uploadFailed } from '../bad-input/remains.ts'
import { delayPuts } from '../slow-store.ts'
import { startBystander } from './bystander.ts'
import { isQuiet } from './server-at-rest.ts'

const tooSlow = /too slowly: fewer than 1024 a second over 3 s/
const timeouts = { rateWindow: 3000 }

for (const store of ['disk', 's3'] as const)
  t.test(`20 drips, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store, timeouts, env: { MAX_CONCURRENT_UPLOADS: '21' } })
    const bystander = await startBystander(server)
    const begunAt = performance.now()
    const forms = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const surface = surfaces[index % 2] as (typeof surfaces)[number]
        const headers = await surface.credentials(server, 10 + index)
        await server.db.execute(`insert into members (room_id, user_id) values (1, ${10 + index})`)
        return { surface, ...beginForm(server.url, surface.path, surface.fileField, headers) }
      }),
    )
    const timer = setInterval(() => {
      for (const { socket, send } of forms) if (!socket.destroyed) send(Buffer.from('x'))
    }, 300)
    t.teardown(() => clearInterval(timer))
    await bystander.isServed(t, 'while they drip')
    for (const { surface, answer } of forms) surface.isError(t, await answer, 408, tooSlow)
    const took = performance.now() - begunAt
    t.ok(took < 8000, `all have ended soon after the window, in ${took.toFixed()} ms`)
    for (const { socket } of forms) socket.destroy()
    await isQuiet(t, server)
    t.equal((await server.states())[uploadFailed], forms.length, 'each has failed')
  })

t.test('raw bytes that come too slowly', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts })
  const session = await Session.of(server, 2)
  const before = await newestId(server)
  const id = await session.reserve({ fileSize: 100_000 })
  const put = beginPut(server.url, `/api/v1/attachments/${id}/a.txt`, 100_000, await server.cookie(2))
  const timer = setInterval(() => void put.send('x'), 300)
  t.teardown(() => clearInterval(timer))
  cookieApi.isError(t, await put.answer, 408, tooSlow)
  clearInterval(timer)
  put.socket.destroy()
  await leftOnly(t, server, before, [{ state: uploadFailed, failureReason: tooSlow }])
})

t.test('who pauses, or ends slowly, but sends enough over the window is left alone', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts })
  const form = beginForm(server.url, cookieApi.path, cookieApi.fileField, await server.cookie(1))
  for (let round = 0; round < 3; round++) {
    await form.send(Buffer.alloc(4096))
    // The time is the subject here: more than half of the window passes without a byte.
    await delay(1800)
  }
  t.equal((await form.finish()).status, 200)
})

t.test('a tiny file is never too slow within the window', async (t) => {
  const server = await startTestServer(t, { store: 'disk', timeouts })
  const form = beginForm(server.url, cookieApi.path, cookieApi.fileField, await server.cookie(1))
  await form.send(Buffer.from('x'))
  // The time is the subject here.
  await delay(1500)
  t.equal((await form.finish()).status, 200)
})

t.test('who is held back by a slow store is not slow', async (t) => {
  const server = await startTestServer(t, {
    store: 'disk',
    timeouts,
    // The time is the subject here: the store takes nothing for longer than the window.
    wrapStore: delayPuts(5000),
  })
  const form = beginForm(server.url, cookieApi.path, cookieApi.fileField, await server.cookie(1))
  await form.send(Buffer.alloc(16 * 2 ** 20))
  t.equal((await form.finish()).status, 200)
})
