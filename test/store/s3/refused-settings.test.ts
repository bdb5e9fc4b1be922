import { Readable } from 'node:stream'
import t from 'tap'
import { openS3Store } from '#store/s3/s3-store.ts'
import { createTestBucket, skipWithoutS3 } from '../../kit/bucket.ts'
import { errorBody, openFaultProxy } from '../fault-proxy.ts'

const kibibyte = 1024

t.test(
  'what a store refuses is told to the log with the settings that may help',
  { skip: skipWithoutS3 },
  async (t) => {
    const place = await createTestBucket(t)
    const proxy = await openFaultProxy(t, place.endpoint)
    const options = { ...place, endpoint: proxy.endpoint, forcePathStyle: true, checksums: 'crc32' } as const
    const store = openS3Store({ ...options, maxObjectSize: 2 ** 30, partSize: 5 * kibibyte ** 2 })
    t.teardown(() => store.close())
    const put = (size: number, isAnnounced: boolean) => {
      const body = Readable.from([Buffer.alloc(size)])
      const { signal } = new AbortController()
      return store.put(`refusals/${size}`, body, { signal, size: isAnnounced ? size : undefined })
    }
    const ways = [
      ['a single request', () => put(kibibyte, false)],
      ['a stream', () => put(300 * kibibyte, true)],
      ['parts', () => put(5 * kibibyte ** 2 + 1, false)],
    ] as const
    for (const [status, code, isHinted] of [
      [400, 'XAmzContentSHA256Mismatch', true],
      [501, 'NotImplemented', true],
      [403, 'AccessDenied', false],
      [400, 'RequestTimeTooSkewed', false],
    ] as const) {
      proxy.fault = (exchange) =>
        ['PutObject', 'CreateMultipartUpload'].includes(exchange.operation)
          ? exchange.answer(status, errorBody(code))
          : exchange.pass()
      for (const [way, send] of ways) {
        const error = await send().catch((error: Error) => error)
        const { message, cause } = error as Error
        t.match(error, { code: 'storage_unavailable' }, `${way}, ${code}`)
        t.notMatch(message, /S3_|NotImplemented|XAmz/, 'clients are told nothing of the store')
        const hint = new RegExp(`${status} ${code}.*S3_CHECKSUMS=off.*stowage doctor`)
        if (isHinted && (way !== 'parts' || status === 400)) t.match((cause as Error).message, hint, `${way}, ${code}`)
        if (!isHinted) t.notMatch((cause as Error).message, /S3_CHECKSUMS/, `${way}, ${code}`)
      }
    }
  },
)
