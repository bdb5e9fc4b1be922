import assert from 'node:assert/strict'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import fc from 'fast-check'
import t from 'tap'
import { findAddress, pathOf, targetOf } from '#store/s3/http/address.ts'
import { Signer } from '#store/s3/http/signer.ts'

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const reserved = ':/?#[]@!$&\'()*+,;= %"<>\\^`{|}~-_.'

type Handler = Extract<S3ClientConfig['requestHandler'], { handle: unknown }>
type Request = Parameters<Handler['handle']>[0]

/** A client that sends nothing, and the request that it would have sent last. */
function openClient(config: S3ClientConfig) {
  let last: Request | undefined
  const handle = async (request: Request) => {
    last = request
    throw new Error('Nothing is sent')
  }
  const client = new S3Client({
    ...{ region: 'eu-central-1', credentials, maxAttempts: 1, requestChecksumCalculation: 'WHEN_REQUIRED' },
    requestHandler: { handle } as unknown as Handler,
    ...config,
  })
  return { client, last: () => last as Request }
}

/** A time as SigV4 writes it: `20261128T184345Z`. */
function parseTime(time: string | undefined): number {
  return Date.parse((time ?? '').replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
}

const keys = fc.oneof(
  fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
  fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom(...reserved) }),
  fc.stringMatching(/^[a-z0-9/]{1,40}$/),
)
const texts = fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom(...reserved, 'a', 'é', '日') })

type Send = (client: S3Client, Bucket: string, Key: string, text: string, number: number) => Promise<unknown>

const operations: Send[] = [
  (client, Bucket, Key) => client.send(new PutObjectCommand({ Bucket, Key, Body: 'bytes', IfNoneMatch: '*' })),
  (client, Bucket, Key, text, number) =>
    client.send(new UploadPartCommand({ Bucket, Key, Body: 'bytes', UploadId: text, PartNumber: number })),
  (client, Bucket, Key, _, number) =>
    client.send(new GetObjectCommand({ Bucket, Key, Range: `bytes=${number}-${number + 10}` })),
  (client, Bucket, Key) => client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' })),
  (client, Bucket, Key, text) => client.send(new DeleteObjectCommand({ Bucket, Key, VersionId: text })),
]

for (const [place, bucket, config] of [
  ['a bucket in its host', 'some-bucket', {}],
  ['a bucket in its path', 'some-bucket', { endpoint: 'http://127.0.0.1:9000', forcePathStyle: true }],
  ['a bucket below a path', 'some-bucket', { endpoint: 'https://store.example/s3/', forcePathStyle: true }],
  ['a bucket with dots', 'some.bucket', {}],
  ['an address of IPv6', 'some-bucket', { endpoint: 'http://[::1]:9000', forcePathStyle: true }],
  ['temporary credentials', 'some-bucket', { credentials: { ...credentials, sessionToken: 'to/k+e=n' } }],
] as const) {
  t.test(`Requests are signed as the SDK signs them: ${place}`, async (t) => {
    const { client, last } = openClient(config)
    t.teardown(() => client.destroy())
    const address = await findAddress(client, bucket)
    const signer = new Signer(client.config.credentials, address.region)
    const isSame = async (send: Send, key: string, text: string, number: number) => {
      await assert.rejects(send(client, bucket, key, text, number), /Nothing is sent/)
      const sdk = last()
      const { authorization, 'x-amz-date': time, 'x-amz-security-token': token, ...headers } = sdk.headers
      const path = pathOf(address.path, key)
      const query = sdk.query as Record<string, string>
      const signed = await signer.sign(
        { method: sdk.method, host: address.host, path, query, headers },
        parseTime(time),
      )
      assert.equal(path, sdk.path)
      assert.equal(address.hostname, sdk.hostname.replace(/[[\]]/g, ''))
      assert.deepEqual(
        [signed.authorization, signed['x-amz-date'], signed['x-amz-security-token']],
        [authorization, time, token],
      )
    }
    const cases = fc.asyncProperty(fc.constantFrom(...operations), keys, texts, fc.integer({ min: 1, max: 9 }), isSame)
    await t.resolves(fc.assert(cases, { numRuns: 300 }))
  })
}

t.test('The target of a request says what was signed', async (t) => {
  const isRead = (key: string, name: string, value: string) => {
    const url = new URL(`http://store${targetOf(pathOf('/bucket', key), { [name]: value })}`)
    assert.deepEqual([...url.searchParams], [[name, value]])
    // A URL parser takes dots for steps. Node sends the target as it is.
    if (!key.split('/').some((step) => /^\.{1,2}$/.test(step)))
      assert.equal(decodeURIComponent(url.pathname), `/bucket/${key}`)
  }
  t.doesNotThrow(() => fc.assert(fc.property(keys, texts, texts, isRead), { numRuns: 300 }))
  t.equal(pathOf('', undefined), '/')
  t.equal(pathOf('/bucket', undefined), '/bucket')
})

t.test('A signer that follows the clock of the store signs with its time', async (t) => {
  const signer = new Signer(async () => credentials, 'eu-central-1')
  const request = { method: 'GET', host: 'store', path: '/', query: {}, headers: {} }
  signer.followClock(Date.now() + 3_600_000)
  const { 'x-amz-date': time } = await signer.sign(request)
  t.ok(Math.abs(parseTime(time) - Date.now() - 3_600_000) < 5_000)
})

t.test('Credentials are renewed before they expire, and then kept', async (t) => {
  let renewals = 0
  const provide = async () => {
    renewals += 1
    const minutes = renewals === 1 ? 1 : 60
    return { ...credentials, accessKeyId: `KEY${renewals}`, expiration: new Date(Date.now() + minutes * 60_000) }
  }
  const { client } = openClient({ credentials: provide })
  t.teardown(() => client.destroy())
  const signer = new Signer(client.config.credentials, 'eu-central-1')
  const request = { method: 'GET', host: 'store', path: '/', query: {}, headers: {} }
  const keysUsed = []
  for (let time = 0; time < 4; time += 1) {
    const { authorization } = await signer.sign(request)
    keysUsed.push(/Credential=(\w+)/.exec(authorization as string)?.[1])
  }
  t.same(keysUsed.slice(-2), ['KEY2', 'KEY2'], 'those of the first minute are not used to their end')
  t.equal(renewals, 2)
  await signer.renewCredentials()
  t.equal(renewals, 3, 'a refusal renews them at once')
})
