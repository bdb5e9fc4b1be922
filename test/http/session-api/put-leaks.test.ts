import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { Session } from '../../kit/cookie-api.ts'
import { startTestServer } from '../../kit/server.ts'
import { busyInDatabase, resourcesOf } from '../../kit/server-resources.ts'
import { beginPut } from '../../kit/slow-upload.ts'
import { until } from '../../kit/until.ts'
import { storeIsEmpty } from '../bad-input/remains.ts'
import { objectsOf, ready, rowOf, uploadFailed } from './reservations.ts'

const aborted = 30

for (const store of ['s3', 'disk'] as const) {
  t.test(`after ${aborted} aborted attempts on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const warnings: Error[] = []
    const warn = (warning: Error) => warnings.push(warning)
    process.on('warning', warn)
    t.teardown(() => process.off('warning', warn))
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1' } })
    const session = await Session.of(server, 2)
    const id = await session.reserve({ fileSize: 200_000 })
    const baseline = await resourcesOf(server)
    for (let attempt = 1; attempt <= aborted; attempt += 1) {
      const { socket, send } = beginPut(server.url, `/api/v1/attachments/${id}/a.txt`, 200_000, session.headers)
      await send(Buffer.alloc(100_000))
      await until('it has begun', async () => (await rowOf(server, id))?.attempt === attempt)
      // The ways to go away take turns.
      attempt % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()
      await until('it has failed', async () => (await rowOf(server, id))?.state === uploadFailed)
    }
    await until('the connections are gone', async () => (await resourcesOf(server)).connections <= baseline.connections)
    await until('the database is idle', async () => (await busyInDatabase(server)) === 0)
    const { connections } = baseline
    t.strictSame({ ...(await resourcesOf(server)), connections }, baseline, 'nothing is held that was not held before')
    const failures = Array.from({ length: aborted }, (_, index) => [index + 1, true])
    t.strictSame(await objectsOf(server, id), failures, 'the bytes of every attempt are to go')
    await storeIsEmpty(t, server)

    t.equal((await session.put(id, 'a.txt', Buffer.alloc(200_000))).status, 200, 'the slot is free')
    t.match(await rowOf(server, id), { state: ready, attempt: aborted + 1 })
    t.equal((await server.remains()).objects.length, 1)
    t.equal((await session.ask('DELETE', `/attachments/${id}`)).status, 200)
    t.strictSame(await objectsOf(server, id), [...failures, [aborted + 1, true]])
    await storeIsEmpty(t, server)
    t.strictSame(warnings, [], 'Node has warned of nothing')
  })
}
