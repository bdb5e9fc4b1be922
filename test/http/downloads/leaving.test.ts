import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { openResponse } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { watchStoreTraffic } from '../../kit/store-traffic.ts'
import { until } from '../../kit/until.ts'
import { type Address, upload } from './downloads.ts'
import { type ReadLog, watchReads } from './watched-store.ts'

const size = 64 * 2 ** 20

/** A download whose client has read the first bytes and then no more. */
async function begin({ url, headers }: Address): Promise<IncomingMessage> {
  const response = await openResponse(url, { headers })
  await once(response, 'readable')
  response.on('error', () => {})
  return response
}

t.test('a client that leaves midway', { skip: skipWithoutS3 }, async (t) => {
  const log: ReadLog = { opened: 0, closed: 0, pulled: 0 }
  const server = await startTestServer(t, { store: 's3', wrapStore: watchReads(log) })
  const { addresses } = await upload(server, new File([Buffer.alloc(size, 'x')], 'large.bin'))
  const { connections: socketsToStore } = watchStoreTraffic(t, server.config.s3Endpoint ?? '')
  const connections = () => connectionsOf(server)

  for (const address of addresses)
    await t.test(`closes the read, ${address.route}`, async (t) => {
      const before = { ...log }
      const response = await begin(address)
      t.equal(response.statusCode, 200)
      t.equal(log.opened, before.opened + 1)
      t.equal(log.closed, before.closed, 'the read goes on while the client is there')
      response.destroy()
      await until('the read is closed', () => log.closed === log.opened)
      t.ok(log.pulled - before.pulled < size / 2, 'it was not read to its end')
      await until('no socket is left', () => socketsToStore() === 0)
    })

  await t.test('thirty of them leave nothing behind', async (t) => {
    const before = log.opened
    const connectionsBefore = await connections()
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    const responses = await Promise.all(Array.from({ length: 30 }, (_, i) => begin(addresses[i % 2] as Address)))
    t.equal(log.opened - before, 30)
    t.equal(socketsToStore(), 30, 'one read from the store for each')
    t.ok((await connections()) >= connectionsBefore + 30, 'and one to the server')
    for (const response of responses) response.destroy()
    await until('every read is closed', () => log.closed === log.opened)
    await until('no socket to the store is left', () => socketsToStore() === 0)
    await until('no connection is left', async () => (await connections()) <= connectionsBefore)
    process.off('warning', note)
    t.same(warnings, [], 'no listener has leaked')
  })

  await t.test('the file is still whole for others', async (t) => {
    const [, link] = addresses
    const response = await fetch(link.url)
    let bytes = 0
    for await (const chunk of response.body ?? []) bytes += chunk.length
    t.equal(bytes, size)
    await until('this read is closed too', () => log.closed === log.opened)
  })
})
