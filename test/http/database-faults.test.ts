import { sql } from 'drizzle-orm'
import t from 'tap'
import { startReplica } from '../kit/replica.ts'
import { startTestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'
import { type Ask, allUnavailable, allWorkAgain, ask, everyKind, isUnavailable, recovery } from './request-kinds.ts'

for (const state of ['refuse', 'close'] as const)
  t.test(state === 'refuse' ? 'refused' : 'closed at once', async (t) => {
    const server = await startTestServer(t, { store: 'disk', withWorkers: false })
    const kinds = await everyKind(server)
    const replica = await startReplica(t, server)
    await allWorkAgain(t, kinds, replica)
    replica.line[state]()
    const [before, startedAt] = [replica.line.taken, performance.now()]
    let longest = 0
    while (performance.now() - startedAt < 3_000) longest = Math.max(longest, await allUnavailable(t, kinds, replica))
    t.ok(longest < 2_000, `the longest took ${longest} ms`)
    const tried = replica.line.taken - before
    t.ok(tried <= 10 + 3 * 5, `${tried} connections in 3 s`)
    replica.line.mend()
    await allWorkAgain(t, kinds, replica)
  })

t.test('reset again and again: an answer is right, or none', async (t) => {
  const env = { SESSIONS_PER_USER: '100000', ATTACHMENTS_PER_MESSAGE: '100000', RESERVATIONS_PER_USER: '100000' }
  const server = await startTestServer(t, { store: 'disk', withWorkers: false, env })
  const { 'bearer: delete': _, 'cookie: delete': __, ...kinds } = await everyKind(server)
  const replica = await startReplica(t, server)
  await allWorkAgain(t, kinds, replica)
  let resets = 0
  let [right, none] = [0, 0]
  const wrong: string[] = []
  const askOne = async ([what, ask]: [string, Ask]) => {
    const response = await ask(replica)
    const text = await response.text()
    if (response.status === 503) none += 1
    else if (response.ok && !/"data":\[\]|^\[\]$|"attachments":\[\]/.test(text)) right += 1
    else wrong.push(`${what}: ${response.status} ${text.slice(0, 200)}`)
  }
  const all = Object.entries(kinds)
  const clients = Array.from({ length: 30 }, async (_, client) => {
    for (let number = client; resets < 40; number += 1) await askOne(all[number % all.length] as [string, Ask])
  })
  for (; resets < 40; resets += 1) {
    const before = right
    await until('answers come', () => right > before + 30)
    replica.line.reset()
  }
  await Promise.all(clients)
  t.strictSame(wrong, [])
  t.ok(right > 1_000, `${right} right answers, ${none} without one`)
  t.ok(none > 40, `${none} were told that there is none`)
})

t.test('read-only, as after a failover', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const kinds = await everyKind(server)
  const replica = await startReplica(t, server, { poolSize: 3 })
  const isReady = async () => (await fetch(`${replica.url}/readyz`)).ok
  const name = new URL(server.databaseUrl).pathname.slice(1)
  const setReadOnly = (on: boolean) =>
    server.db.execute(sql.raw(`alter database ${name} set default_transaction_read_only = ${on}`))
  await allWorkAgain(t, kinds, replica)
  t.ok(await isReady())

  await setReadOnly(true)
  replica.line.reset()
  await until('readiness tells', async () => !(await isReady()))
  for (const what of ['bearer: upload', 'cookie: reserve', 'admin: token'])
    t.ok(await isUnavailable(await ask(kinds, what, replica)), what)
  t.equal((await ask(kinds, 'bearer: list', replica)).status, 200, 'it can be read')

  // Those connections stay read-only, whatever the database is now: as when another server has taken over.
  await setReadOnly(false)
  const works = async () => (await ask(kinds, 'bearer: upload', replica)).status === 201
  await until('uploads work', works, recovery)
  await until('it is ready', isReady)
})
