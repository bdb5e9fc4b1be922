import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Session, textFile } from '../../kit/cookie-api.ts'
import { sendRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { surfaces } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'
import { type Attack, formAttacks, headerAttacks, otherAttacks } from './requests.ts'

/** Milliseconds that one attack may keep the event loop from everybody else, and that anybody else waits meanwhile. */
const longestBlock = 50
const longestWait = 700

interface Harm {
  /** How long the event loop stood still at most. */
  blocked: number
  /** How long somebody else waited. */
  waited: number
}

/**
 * What harm `work` does, in milliseconds. On a busy machine the loop stands still because others run; but it was no longer
 * at work than this thread had a processor.
 */
async function harmOf(work: () => Promise<number>): Promise<Harm> {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  // What the test itself has just done is not to count.
  await delay(5)
  const before = process.threadCpuUsage()
  delays.enable()
  const waited = await work()
  await delay(5)
  delays.disable()
  const { user, system } = process.threadCpuUsage(before)
  return { blocked: Math.min(delays.max / 1e6, (user + system) / 1000), waited }
}

async function isHarmless(
  t: Test,
  server: TestServer,
  credentials: Record<string, string>,
  attack: Attack,
  other: () => Promise<number>,
) {
  const { what, method = 'POST', path = '', request, statuses } = attack
  const headers = { ...credentials, ...request.headers }
  const before = process.memoryUsage().heapUsed
  const attempt = () =>
    harmOf(async () => {
      const [answer, waited] = await Promise.all([sendRaw(server.url, method, path, { ...request, headers }), other()])
      t.ok(statuses.includes(answer.status), `${what}: ${answer.status} ${answer.body.slice(0, 200)}`)
      return waited
    })
  const isTooMuch = ({ blocked, waited }: Harm) => blocked > longestBlock || waited > longestWait
  let harm = await attempt()
  for (let more = 0; more < 3 && isTooMuch(harm); more += 1) harm = await attempt()
  t.notOk(isTooMuch(harm), `${what}: ${JSON.stringify(harm)}`)
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
    return performance.now() - begin
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
