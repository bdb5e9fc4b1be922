import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { openResponse } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'
import { type Address, upload } from './downloads.ts'
import { type ReadLog, watchReads } from './watched-store.ts'

const mebibyte = 2 ** 20
const size = 64 * mebibyte

/** What the kernel's buffers on both sides may take at most, and a little for our own. */
const readahead = 24 * mebibyte

/** Resolves when a number has not changed for a while: nothing is under way any more. */
async function settled(what: string, look: () => number): Promise<number> {
  let seen = look()
  let same = 0
  await until(what, () => {
    same = look() === seen ? same + 1 : 0
    seen = look()
    return same === 25
  })
  return seen
}

const ask = ({ url, headers }: Address): Promise<IncomingMessage> => openResponse(url, { headers })

for (const [store, which] of [
  ['disk', 0],
  ['s3', 1],
] as const)
  t.test(`a client that does not read, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const log: ReadLog = { opened: 0, closed: 0, pulled: 0 }
    const server = await startTestServer(t, { store, wrapStore: watchReads(log) })
    const { addresses } = await upload(server, new File([Buffer.alloc(size, 'x')], 'large.bin'))
    const address = addresses[which]

    await t.test('makes the server wait', async (t) => {
      const response = await ask(address)
      const pulled = await settled('the server stops reading ahead', () => log.pulled)
      t.ok(pulled < readahead, `${(pulled / mebibyte).toFixed(1)} MiB of ${size / mebibyte} were read ahead`)
      t.equal(log.opened - log.closed, 1, 'the read stays open')

      let received = 0
      for await (const chunk of response) {
        received += chunk.length
        if (received > 16 * mebibyte) break
      }
      t.ok(log.pulled < received + readahead, 'it goes on as fast as the client reads, not faster')
      await until('the read is closed when the client leaves', () => log.opened === log.closed)
    })

    await t.test('gets every byte in the end', async (t) => {
      const response = await ask(address)
      await settled('the server stops reading ahead', () => log.pulled)
      let received = 0
      for await (const chunk of response) received += chunk.length
      t.equal(received, size)
      await until('the read is closed', () => log.opened === log.closed)
    })
  })
