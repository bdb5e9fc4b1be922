import t, { type Test } from 'tap'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { errorBody, type Operation, openFaultProxy } from '../store/fault-proxy.ts'
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

t.test('doctor on S3', { skip: skipWithoutS3 }, async (t) => {
  const database = await createTestDatabase(t)
  await migrateDatabase(database)
  const bucket = await createTestBucket(t)
  const env = environment(bucket)

  t.test('green, and nothing left in the bucket', async (t) => {
    t.strictSame(await linesOfStore(t, database, env), {
      code: 0,
      lines: [
        `ok    store: S3 bucket ${bucket.bucket} at ${bucket.endpoint}`,
        'ok    store, multipart upload: works',
        'ok    store, write, read and delete: works',
      ],
    })
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
    t.match(uploads.lines, [/^ok/, `FAIL  store, multipart upload: ${advice}`, /^ok/])
    const writes = await denied('PutObject')
    t.equal(writes.code, 1)
    t.match(writes.lines, [/^ok/, /^ok/, `FAIL  store, write, read and delete: ${advice}`])
    t.strictSame(await bucket.remains(), { objects: [], uploads: [] })
  })

  t.test('a store that fails otherwise is told in its own words', async (t) => {
    const proxy = await openFaultProxy(t, bucket.endpoint)
    proxy.fault = (exchange) =>
      exchange.operation === 'GetObject' ? exchange.answer(400, errorBody('OutOfCheese')) : exchange.pass()
    const { code, lines } = await linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
    t.equal(code, 1)
    t.match(lines, [/^ok/, /^ok/, 'FAIL  store, write, read and delete: OutOfCheese: OutOfCheese'])
    t.notMatch(lines, [/Allow/])
  })

  t.test('a store that never answers is given up', async (t) => {
    const proxy = await openFaultProxy(t, bucket.endpoint)
    proxy.fault = () => {}
    const { code, lines } = await linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
    t.equal(code, 1)
    t.match(lines, [/^FAIL {2}store: .* does not answer within 10 s: correct S3_ENDPOINT/])
  })
})
