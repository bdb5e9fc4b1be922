import t from 'tap'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { bucketSettings, createTestBucket, skipWithoutS3 } from '../kit/bucket.ts'
import { stowage } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { errorBody, type Operation, openFaultProxy } from '../store/fault-proxy.ts'
import { linesOfStore } from './doctor-output.ts'

t.test('doctor on S3', { skip: skipWithoutS3 }, async (t) => {
  const database = await createTestDatabase(t)
  await migrateDatabase(database)
  const bucket = await createTestBucket(t)
  const env = bucketSettings(bucket)

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
    t.match(lines[2], /^ok {4}store, announced upload: works, \d+ ms for 5 MiB$/)
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

  t.test('a store that never answers is given up', async (t) => {
    const proxy = await openFaultProxy(t, bucket.endpoint)
    proxy.fault = () => {}
    const { code, lines } = await linesOfStore(t, database, { ...env, S3_ENDPOINT: proxy.endpoint })
    t.equal(code, 1)
    t.match(lines, [/^FAIL {2}store: .* does not answer .*: correct S3_ENDPOINT/])
  })
})
