import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { until } from '../../support/until.ts'
import { send } from '../bad-input/forms.ts'
import { surfaces } from '../bad-input/surfaces.ts'
import { Session, textFile } from '../session-api/requests.ts'
import { type Attack, formAttacks, headerAttacks, otherAttacks } from './requests.ts'

/** Milliseconds that one attack may keep the event loop from everybody else, and that anybody else waits meanwhile. */
const longestBlock = 50
const longestWait = 700

/** How long the event loop stood still at most, in milliseconds, while `work` ran; of three tries the best one counts. */
async function blockedBy(work: () => Promise<void>): Promise<number> {
  const blocks: number[] = []
  while (blocks.length < 3 && Math.min(...blocks) > longestBlock) {
    const delays = monitorEventLoopDelay({ resolution: 1 })
    // What the test itself has just done is not to count.
    await delay(5)
    delays.enable()
    await work()
    await delay(5)
    delays.disable()
    blocks.push(delays.max / 1e6)
  }
  return Math.min(...blocks)
}

async function isHarmless(
  t: Test,
  server: TestServer,
  credentials: Record<string, string>,
  attack: Attack,
  other: () => Promise<void>,
) {
  const { what, method = 'POST', path = '', request, statuses } = attack
  const headers = { ...credentials, ...request.headers }
  const before = process.memoryUsage().heapUsed
  const blocked = await blockedBy(async () => {
    const [answer] = await Promise.all([send(server.url, method, path, { ...request, headers }), other()])
    t.ok(statuses.includes(answer.status), `${what}: ${answer.status} ${answer.body.slice(0, 200)}`)
  })
  t.ok(blocked < longestBlock, `${what}: the event loop stood still for ${blocked.toFixed(0)} ms`)
  const grown = (process.memoryUsage().heapUsed - before) / 2 ** 20
  t.ok(grown < 64, `${what}: the heap has grown by ${grown.toFixed(0)} MiB`)
}

t.test('an attack on a parser blocks nobody', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_CONCURRENT_UPLOADS: '2' } })
  const session = await Session.of(server, 2)
  const [id = 0] = await session.upload(textFile())
  const reserved = await session.reserve({ fileSize: 7 })
  const other = async () => {
    const begin = performance.now()
    t.equal((await session.ask('GET', `/attachments/${id}`)).status, 200)
    const waited = performance.now() - begin
    t.ok(waited < longestWait, `another user waited ${waited.toFixed(0)} ms`)
  }
  for (let round = 0; round < 20; round += 1) await other()
  for (const surface of surfaces) {
    const credentials = await surface.credentials(server, 2)
    for (const attack of formAttacks(surface))
      await t.test(`${surface.name}: ${attack.what}`, (t) =>
        isHarmless(t, server, credentials, { path: surface.path, ...attack }, other),
      )
  }
  for (const attack of [...otherAttacks(id), ...headerAttacks(reserved)])
    await t.test(attack.what, (t) => isHarmless(t, server, session.headers, attack, other))
  t.equal((await session.put(reserved, 'a.txt', 'content')).status, 200)
  await until('nobody is writing any more', async () => {
    const { ReadyForDownloadFromServerToClient: ready = 0, ...rest } = await server.states()
    return ready > 0 && Object.keys(rest).every((state) => /Failed$/.test(state))
  })
  await server.app.uploadsEnded?.()
})
