import t from 'tap'
import { s3Options } from '#commands/open-resources.ts'
import { readConfig } from '#config/config.ts'

const bucket = { S3_BUCKET: 'attachments' }
const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'word' }

t.test('without a bucket there is no S3', async (t) => {
  t.equal(s3Options(readConfig({ S3_ENDPOINT: 'http://localhost:9000' })), undefined)
})

t.test('AWS by default, another server by its endpoint', async (t) => {
  const aws = {
    bucket: 'attachments',
    region: 'us-east-1',
    forcePathStyle: false,
    checksums: 'crc32',
    conditionalWrites: true,
  }
  t.strictSame(s3Options(readConfig(bucket)), { ...aws, maxObjectSize: 5 * 1024 ** 3 })
  const endpoint = { ...bucket, S3_ENDPOINT: 'http://localhost:9000' }
  t.match(s3Options(readConfig(endpoint)), { endpoint: 'http://localhost:9000', forcePathStyle: true })
  t.match(s3Options(readConfig({ ...endpoint, S3_FORCE_PATH_STYLE: 'false' })), { forcePathStyle: false })
})

t.test('temporary credentials are left to the SDK, which takes all three parts', async (t) => {
  t.match(s3Options(readConfig({ ...bucket, ...keys })), { accessKeyId: 'id', secretAccessKey: 'word' })
  const temporary = s3Options(readConfig({ ...bucket, ...keys, AWS_SESSION_TOKEN: 'token' }))
  t.notMatch(temporary, { accessKeyId: String })
  t.notMatch(temporary, { secretAccessKey: String })
})
