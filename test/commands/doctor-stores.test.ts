import type { IncomingHttpHeaders } from 'node:http'
import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import t from 'tap'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { bucketSettings, createTestBucket, openS3Client, skipWithoutS3, type TestBucket } from '../kit/bucket.ts'
import { createTestDatabase } from '../kit/database.ts'
import { type Exchange, errorBody, openFaultProxy } from '../store/fault-proxy.ts'
import { linesOfStore } from './doctor-output.ts'

/** Changes headers of the answer that comes from the real store. */
function answerWith({ response }: Exchange, changes: Record<string, string>): void {
  const writeHead = response.writeHead.bind(response)
  response.writeHead = ((status: number, headers: Record<string, string>) =>
    writeHead(status, { ...headers, ...changes })) as typeof response.writeHead
}

async function keepVersions(place: TestBucket): Promise<void> {
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await openS3Client(place).send(new PutBucketVersioningCommand({ Bucket: place.bucket, VersioningConfiguration }))
}

/** The keys of all versions and delete markers. */
async function everyVersion(place: TestBucket): Promise<unknown[]> {
  const listed = await openS3Client(place).send(new ListObjectVersionsCommand({ Bucket: place.bucket }))
  return [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])].map(({ Key }) => Key)
}

t.test('stores that are not all of S3', { skip: skipWithoutS3 }, async (t) => {
  const database = await createTestDatabase(t)
  await migrateDatabase(database)
  const bucket = await createTestBucket(t)
  const env = bucketSettings(bucket)

  /** A store that refuses what some stores refuse. */
  const refusing = async (refuses: (headers: IncomingHttpHeaders) => boolean, status: number, code: string) => {
    const proxy = await openFaultProxy(t, bucket.endpoint)
    proxy.fault = (exchange) =>
      refuses(exchange.request.headers) ? exchange.answer(status, errorBody(code)) : exchange.pass()
    return { ...env, S3_ENDPOINT: proxy.endpoint }
  }
  const hasTrailer = (headers: IncomingHttpHeaders) => headers['x-amz-trailer'] !== undefined
  const hasCondition = (headers: IncomingHttpHeaders) => headers['if-none-match'] !== undefined
  const hasChecksum = (headers: IncomingHttpHeaders) =>
    Object.keys(headers).some((name) => name.startsWith('x-amz-checksum-') || name === 'x-amz-trailer')

  for (const [what, refuses, status, code, remedy] of [
    ['no trailers, as Ceph RGW 16', hasTrailer, 400, 'XAmzContentSHA256Mismatch', 'S3_CHECKSUMS=off'],
    ['no trailers, as others say it', hasTrailer, 501, 'NotImplemented', 'S3_CHECKSUMS=off'],
    ['no checksums', hasChecksum, 400, 'InvalidArgument', 'S3_CHECKSUMS=off'],
    ['no conditions', hasCondition, 501, 'NotImplemented', 'S3_CONDITIONAL_WRITES=false'],
    [
      'neither',
      (headers: IncomingHttpHeaders) => hasChecksum(headers) || hasCondition(headers),
      501,
      'NotImplemented',
      'S3_CHECKSUMS=off and S3_CONDITIONAL_WRITES=false',
    ],
  ] as const) {
    t.test(`a store that knows ${what}`, async (t) => {
      const env = await refusing(refuses, status, code)
      const { code: exit, lines } = await linesOfStore(t, database, env)
      t.equal(exit, 1)
      const failing = lines.filter((line) => line.startsWith('FAIL'))
      t.ok(failing.length > 0)
      for (const line of failing) t.match(line, new RegExp(`It works with ${remedy}: set that\\.$`))
      const settings = Object.fromEntries(remedy.split(' and ').map((pair) => pair.split('=')))
      t.match(await linesOfStore(t, database, { ...env, ...settings }), {
        code: 0,
        lines: [/^ok/, /^ok/, /^ok/, /^ok/],
      })
      t.strictSame(await bucket.remains(), { objects: [], uploads: [] })
    })
  }

  t.test('a store whose checksum of several parts is another one', async (t) => {
    const proxy = await openFaultProxy(t, bucket.endpoint)
    proxy.fault = (exchange) => {
      if (exchange.operation === 'HeadObject') answerWith(exchange, { 'x-amz-checksum-crc32': 'AAAAAA==' })
      return exchange.pass()
    }
    const { code, lines } = await linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
    t.equal(code, 1)
    t.match(lines.filter((line) => line.startsWith('FAIL')).join('\n'), /checksum is AAAAAA==.*S3_CHECKSUMS=off/)
  })

  t.test('a store that takes a key twice is told of', async (t) => {
    const { code, lines } = await linesOfStore(t, database, { ...env, S3_CONDITIONAL_WRITES: 'false' })
    t.equal(code, 0)
    t.match(lines.at(-1), /^ok {4}store, write, read and delete: works; a key that is taken may be written twice$/)
  })

  t.test('of a bucket that keeps versions too, nothing is left', async (t) => {
    const versioned = await createTestBucket(t)
    await keepVersions(versioned)
    t.match(await linesOfStore(t, database, bucketSettings(versioned)), { code: 0 })
    t.strictSame(await everyVersion(versioned), [])
  })
})
