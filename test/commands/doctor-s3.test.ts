import type { IncomingHttpHeaders } from 'node:http'
import { ListObjectVersionsCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { type Exchange, errorBody, type Operation, openFaultProxy } from '../store/fault-proxy.ts'
import { createTestBucket, skipWithoutS3, type TestBucket } from '../support/bucket.ts'
import { createTestDatabase } from '../support/database.ts'
import { stowage } from './stowage.ts'

function environment({ bucket, endpoint, region, accessKeyId, secretAccessKey }: TestBucket) {
  return {
    S3_BUCKET: bucket,
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
}

/** The lines that the doctor prints of the store, beside a database that is well. */
async function linesOfStore(t: Test, database: string, env: NodeJS.ProcessEnv) {
  const { code, stdout, stderr } = await stowage(t, ['doctor'], { DATABASE_URL: database, ...env })
  t.equal(stderr, '')
  t.match(stdout, /^ok {4}migrations: all applied$/m, 'the database is checked all the same')
  return { code, lines: stdout.split('\n').filter((line) => line.slice(6).startsWith('store')) }
}

/** Changes headers of the answer that comes from the real store. */
function answerWith({ response }: Exchange, changes: Record<string, string>): void {
  const writeHead = response.writeHead.bind(response)
  response.writeHead = ((status: number, headers: Record<string, string>) =>
    writeHead(status, { ...headers, ...changes })) as typeof response.writeHead
}

function clientOf({ endpoint, region, accessKeyId, secretAccessKey }: TestBucket): S3Client {
  return new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true })
}

async function keepVersions(place: TestBucket): Promise<void> {
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await clientOf(place).send(new PutBucketVersioningCommand({ Bucket: place.bucket, VersioningConfiguration }))
}

/** The keys of all versions and delete markers. */
async function everyVersion(place: TestBucket): Promise<unknown[]> {
  const listed = await clientOf(place).send(new ListObjectVersionsCommand({ Bucket: place.bucket }))
  return [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])].map(({ Key }) => Key)
}

t.test('doctor on S3', { skip: skipWithoutS3 }, async (t) => {
  const database = await createTestDatabase(t)
  await migrateDatabase(database)
  const bucket = await createTestBucket(t)
  const env = environment(bucket)

  t.test('green, and nothing left in the bucket', async (t) => {
    const { code, lines } = await linesOfStore(t, database, env)
    t.strictSame(
      { code, lines },
      {
        code: 0,
        lines: [
          `ok    store: S3 bucket ${bucket.bucket} at ${bucket.endpoint}`,
          'ok    store, multipart upload: works',
          lines[2],
          'ok    store, write, read and delete: works',
        ],
      },
    )
    t.match(lines[2], /^ok {4}store, announced upload: works, \d+ ms for 300 KiB$/)
    t.strictSame(await bucket.remains(), { objects: [], uploads: [] })
  })

  t.test('red, with the setting to correct', async (t) => {
    const wrong: [NodeJS.ProcessEnv, RegExp][] = [
      [{ S3_BUCKET: 'no-such-bucket' }, /^FAIL {2}store: There is no bucket no-such-bucket at .*S3_BUCKET/],
      [{ AWS_SECRET_ACCESS_KEY: 'hunter2-hunter2' }, /^FAIL {2}store: .* denies .*AWS_ACCESS_KEY_ID/],
      [{ AWS_ACCESS_KEY_ID: 'hunter2' }, /^FAIL {2}store: .* denies .*AWS_ACCESS_KEY_ID/],
      [
        { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
        /^FAIL {2}store: There are no credentials .*AWS_ACCESS_KEY_ID/,
      ],
      [
        { S3_ENDPOINT: 'http://127.0.0.1:1' },
        /^FAIL {2}store: .* does not answer at http:\/\/127\.0\.0\.1:1.*S3_ENDPOINT/,
      ],
    ]
    for (const [change, told] of wrong) {
      const { code, lines } = await linesOfStore(t, database, { ...env, ...change })
      t.equal(code, 1)
      t.match(lines, [told])
      t.equal(lines.length, 1, 'a store that does not answer is asked nothing more')
      t.notMatch(lines, [/hunter2/])
    }
  })

  t.test('both broken: both are told', async (t) => {
    const broken = { ...env, S3_BUCKET: 'no-such-bucket', DATABASE_URL: 'postgres://127.0.0.1:1/stowage' }
    const { code, stdout } = await stowage(t, ['doctor'], broken)
    t.equal(code, 1)
    t.match(stdout, /^FAIL {2}database: .*DATABASE_URL.*\nFAIL {2}store: .*S3_BUCKET/m)
  })

  t.test('what the store denies is told with what to allow', async (t) => {
    const denied = async (...operations: Operation[]) => {
      const proxy = await openFaultProxy(t, bucket.endpoint)
      proxy.fault = (exchange) =>
        operations.includes(exchange.operation) ? exchange.answer(403, errorBody('AccessDenied')) : exchange.pass()
      return linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
    }
    const advice = 'AccessDenied: AccessDenied. Allow s3:PutObject, s3:GetObject, s3:DeleteObject,'
    const uploads = await denied('CreateMultipartUpload')
    t.equal(uploads.code, 1)
    t.match(uploads.lines, [/^ok/, /^ok/, /^ok/, `FAIL  store, multipart upload: ${advice}`])
    const writes = await denied('PutObject')
    t.equal(writes.code, 1)
    t.match(writes.lines, [
      /^ok/,
      /^ok/,
      `FAIL  store, announced upload: ${advice}`,
      `FAIL  store, write, read and delete: ${advice}`,
    ])
    t.notMatch([...uploads.lines, ...writes.lines], [/S3_CHECKSUMS/], 'no other way of sending is advised')
    t.strictSame(await bucket.remains(), { objects: [], uploads: [] })
  })

  t.test('a store that fails otherwise is told in its own words', async (t) => {
    const proxy = await openFaultProxy(t, bucket.endpoint)
    proxy.fault = (exchange) =>
      exchange.operation === 'GetObject' ? exchange.answer(400, errorBody('OutOfCheese')) : exchange.pass()
    const { code, lines } = await linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
    t.equal(code, 1)
    t.match(lines, [/^ok/, /^ok/, /^ok/, 'FAIL  store, write, read and delete: OutOfCheese: OutOfCheese'])
    t.notMatch(lines.join('\n'), /Allow|S3_CHECKSUMS/)
  })

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

  t.test('a wrong key and a wrong clock are told as such', async (t) => {
    for (const [code, advice] of [
      ['SignatureDoesNotMatch', /AWS_SECRET_ACCESS_KEY/],
      ['RequestTimeTooSkewed', /clock/],
    ] as const) {
      const proxy = await openFaultProxy(t, bucket.endpoint)
      proxy.fault = (exchange) =>
        exchange.operation === 'PutObject' ? exchange.answer(403, errorBody(code)) : exchange.pass()
      const { lines } = await linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
      t.match(lines.at(-1), advice)
      t.notMatch(lines.join('\n'), /Allow|S3_CHECKSUMS/)
    }
  })

  t.test('of a bucket that keeps versions too, nothing is left', async (t) => {
    const versioned = await createTestBucket(t)
    await keepVersions(versioned)
    t.match(await linesOfStore(t, database, environment(versioned)), { code: 0 })
    t.strictSame(await everyVersion(versioned), [])
  })

  t.test('a store that never answers is given up', async (t) => {
    const proxy = await openFaultProxy(t, bucket.endpoint)
    proxy.fault = () => {}
    const { code, lines } = await linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
    t.equal(code, 1)
    t.match(lines, [/^FAIL {2}store: .* does not answer within 10 s: correct S3_ENDPOINT/])
  })
})
