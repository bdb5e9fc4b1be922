import { get as httpGet } from 'node:http'
import type { Readable } from 'node:stream'
import postgres from 'postgres'
import t from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { startTestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { until } from '../../kit/until.ts'
import { type Address, get, upload } from './downloads.ts'

const size = 2 ** 20

/** For `wrapStore`: keeps every stream that the store gives, and lets no `get` end while `hold` is set. */
function holdReads(held: { streams: Readable[]; asked: number; hold: Promise<void> | undefined }) {
  return (store: ObjectStore): ObjectStore => ({
    ...store,
    async get(key, options) {
      held.asked += 1
      // As a store that looks at the signal too late.
      const stream = await store.get(key, { ...options, signal: new AbortController().signal })
      held.streams.push(stream)
      await held.hold
      return stream
    },
  })
}

function ask({ url, headers }: Address) {
  const request = httpGet(url, { headers, agent: false })
  request.on('error', () => {})
  return request
}

for (const store of ['disk', 's3'] as const) {
  t.test(
    `a client that leaves before the first byte, on ${store}`,
    { skip: store === 's3' && skipWithoutS3 },
    async (t) => {
      const held = { streams: [] as Readable[], asked: 0, hold: undefined as Promise<void> | undefined }
      const server = await startTestServer(t, { store, wrapStore: holdReads(held) })
      const { addresses } = await upload(server, new File([Buffer.alloc(size)], 'a.bin'))
      const closed = () => held.streams.every((stream) => stream.destroyed)
      const connections = () => connectionsOf(server)

      for (const address of addresses)
        await t.test(`while the store is asked, ${address.route}`, async () => {
          const gate = Promise.withResolvers<void>()
          held.hold = gate.promise
          const asked = held.asked
          const request = ask(address)
          await until('the store is asked', () => held.asked > asked)
          const before = await connections()
          request.destroy()
          await until('the server knows', async () => (await connections()) < before)
          gate.resolve()
          await until('the read is closed', closed)
        })

      await t.test('while the database is asked', async (t) => {
        held.hold = undefined
        const database = postgres(server.databaseUrl, { max: 1, onnotice: () => {} })
        await database.begin(async (transaction) => {
          await transaction`lock table objects in access exclusive mode`
          const requests = addresses.map(ask)
          await until('the lookups wait', async () => {
            const waiting = await transaction`
            select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
            return waiting.length === addresses.length
          })
          const before = await connections()
          for (const request of requests) request.destroy()
          await until('the server knows', async () => (await connections()) <= before - addresses.length)
        })
        await database.end()
        for (const address of addresses) t.equal((await (await get(address)).bytes()).length, size)
        await until('every read is closed', closed)
      })
    },
  )
}
