import type { FastifyBaseLogger } from 'fastify'
import t from 'tap'
import { watchReadiness } from '#http/ops/health.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { until } from '../kit/until.ts'

/** Dependencies that do what the test says, and how often they were asked. */
function dependencies() {
  const asked = { database: 0, store: 0 }
  const doing = { database: async () => {}, store: async () => {} }
  const lines: string[] = []
  const log = {
    warn: ({ reason }: { reason: string }, line: string) => lines.push(`${line} (${reason})`),
    info: (line: string) => lines.push(line),
  }
  const ping = () => {
    asked.database += 1
    return doing.database()
  }
  const check = () => {
    asked.store += 1
    return doing.store()
  }
  const database = { db: undefined as never, ping, close: async () => {} }
  const store = { check } as unknown as ObjectStore
  const look = watchReadiness({ database, store }, log as unknown as FastifyBaseLogger)
  return { asked, doing, lines, look }
}

const fails = (message: string, cause?: Error) => async () => {
  throw new Error(message, { cause })
}

t.test('one probe a second, however many ask', async (t) => {
  const { asked, doing, look } = dependencies()
  const startedAt = performance.now()
  const all = await Promise.all(Array.from({ length: 1000 }, () => look()))
  t.same(all[999], { database: undefined, store: undefined })
  t.same(asked, { database: 1, store: 1 })
  doing.database = fails('away')
  await until('it is seen', async () => (await look()).database !== undefined)
  t.ok(performance.now() - startedAt >= 1000)
  t.same(asked, { database: 2, store: 2 })
})

t.test('each change is told once, with its reason', async (t) => {
  const { doing, lines, look } = dependencies()
  const becomes = (name: 'database' | 'store', usable: boolean) =>
    until(`the ${name} is seen`, async () => ((await look())[name] === undefined) === usable)
  await look()
  t.strictSame(lines, [], 'nothing while all is well')
  doing.store = fails('no answer from the bucket', new Error('ECONNREFUSED 127.0.0.1:1'))
  await becomes('store', false)
  doing.database = fails('The database takes no writes')
  await becomes('database', false)
  doing.store = async () => {}
  doing.database = fails('another reason')
  await becomes('store', true)
  doing.database = async () => {}
  await becomes('database', true)
  t.strictSame(lines, [
    'not ready: the store cannot be used (no answer from the bucket: ECONNREFUSED 127.0.0.1:1)',
    'not ready: the database cannot be used (The database takes no writes)',
    'the store can be used again',
    'the database can be used again',
  ])
})

t.test('what is silent is told in time, and asked no second time meanwhile', async (t) => {
  const { asked, doing, look } = dependencies()
  // A time limit alone keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  doing.store = () => new Promise(() => {})
  const askedAt = performance.now()
  const found = await Promise.all([look(), look()])
  t.ok(performance.now() - askedAt < 5000)
  t.match(found, [{ store: /^no answer within 3 s$/ }, { store: /^no answer/ }])
  t.equal(asked.store, 1)
})
