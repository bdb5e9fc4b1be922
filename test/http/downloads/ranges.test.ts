import { randomBytes } from 'node:crypto'
import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { startTestServer } from '../../kit/server.ts'
import { get, upload } from './downloads.ts'

const size = 300_000
const bytes = randomBytes(size)

for (const store of ['disk', 's3'] as const) {
  t.test(`ranges, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const { addresses } = await upload(server, new File([bytes], 'random.bin'))
    const parts: [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      ['bytes=0-99', 0, 99],
      ['bytes=100000-199999', 100_000, 199_999],
      ['bytes=299999-', 299_999, 299_999],
      ['bytes=5-', 5, size - 1],
      ['bytes=0-', 0, size - 1],
      ['bytes=5-999999999999999999999999', 5, size - 1],
      ['bytes=-1', size - 1, size - 1],
      ['bytes=-1000', size - 1000, size - 1],
      [`bytes=-${size}`, 0, size - 1],
      ['bytes=-300001', 0, size - 1],
      ['bytes=-99999999999999999999999', 0, size - 1],
      ['Bytes=1-2', 1, 2],
    ]
    for (const address of addresses)
      for (const [range, first, last] of parts) {
        const response = await get(address, { range })
        t.equal(response.status, 206, `${address.route}: ${range}`)
        t.equal(response.headers.get('content-range'), `bytes ${first}-${last}/${size}`, range)
        t.equal(response.headers.get('content-length'), String(last - first + 1), range)
        t.equal(Buffer.compare(await response.bytes(), bytes.subarray(first, last + 1)), 0, `${range}: the bytes`)
      }

    const unsatisfiable = ['bytes=300000-', 'bytes=300000-300001', 'bytes=-0', 'bytes=99999999999999999999-']
    for (const address of addresses)
      for (const range of unsatisfiable) {
        const response = await get(address, { range })
        t.equal(response.status, 416, `${address.route}: ${range}`)
        t.equal(response.headers.get('content-range'), `bytes */${size}`, range)
        const shape = address.route === 'file_url' ? { type: 'invalid_request_error' } : { httpStatusCode: 416 }
        t.match(await response.json(), shape)
        t.equal(response.headers.get('etag'), null, 'nothing of the file')
      }

    const whole = [
      'bytes=0-1,5-6',
      'bytes=0-1, 999999-',
      'bytes=1-0',
      'bytes=400000-5',
      'bytes=',
      'bytes=-',
      'bytes=a-b',
      'bytes=1',
      'bytes=1-2x',
      'bytes=1-2-3',
      'bytes=--1',
      'bytes 1-2',
      'items=1-2',
      '1-2',
    ]
    for (const address of addresses)
      for (const range of whole) {
        const response = await get(address, { range })
        t.equal(response.status, 200, `${address.route}: ${range}`)
        t.equal(response.headers.get('content-range'), null)
        t.equal(Buffer.compare(await response.bytes(), bytes), 0, `${range}: the whole`)
      }
  })

  t.test(`ranges of an empty file, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const { addresses } = await upload(server, new File([], 'empty'))
    for (const address of addresses) {
      for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=5-9', 'bytes=-0']) {
        const response = await get(address, { range })
        t.equal(response.status, 416, `${address.route}: ${range}`)
        t.equal(response.headers.get('content-range'), 'bytes */0')
        await response.text()
      }
      const response = await get(address, { range: 'bytes=-5' })
      t.equal(response.status, 200, 'the last bytes of nothing are the whole')
      t.equal(response.headers.get('content-length'), '0')
      t.equal(await response.text(), '')
    }
  })
}
