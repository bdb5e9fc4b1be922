import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { openS3Store, type S3StoreOptions } from '#store/s3/s3-store.ts'
import { createTestBucket, skipWithoutS3 } from '../kit/bucket.ts'
import type { StoreUnderTest } from './contract.ts'
import { type FaultProxy, openFaultProxy } from './fault-proxy.ts'

/** The smallest part S3 takes, and so the quickest to test with. */
export const partSize = 5 * 1024 * 1024

/** A test that needs a real S3 server, and is skipped, loudly, without one. */
export function s3Test(name: string, run: (t: Test) => Promise<unknown>): void {
  t.test(name, { skip: skipWithoutS3 }, run)
}

export interface S3UnderTest extends StoreUnderTest {
  proxy: FaultProxy
  /** How the store under test was opened. */
  options: S3StoreOptions
  /** The real store, past the proxy. */
  client: S3Client
  bucket: string
  /** Begins a multipart upload behind the store's back. */
  beginUpload(key: string): Promise<string>
}

/** A store on a bucket of its own, with a proxy between that lets everything pass until a test says otherwise. */
export async function openBehindProxy(t: Test, changes: Partial<S3StoreOptions> = {}): Promise<S3UnderTest> {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey } = await createTestBucket(t)
  const proxy = await openFaultProxy(t, endpoint)
  const options: S3StoreOptions = {
    ...{ bucket, region, endpoint: proxy.endpoint, accessKeyId, secretAccessKey, partSize },
    ...{ forcePathStyle: true, checksums: 'crc32', maxObjectSize: 1024 ** 3 },
    ...changes,
  }
  const store = openS3Store(options)
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  t.teardown(async () => {
    await store.close()
    client.destroy()
  })
  return {
    ...{ store, partSize, proxy, options, client, bucket },
    place: { s3: options },
    openReads: proxy.openReads,
    confirms: options.checksums === 'crc32',
    remains: (key) => listRemains(client, bucket, key),
    async beginUpload(key) {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }))
      return UploadId as string
    },
  }
}

/** A store at a server that only speaks as much S3 as a test has taught it. */
export function openAt(t: Test, endpoint: string, changes: Partial<S3StoreOptions> = {}): ObjectStore {
  const store = openS3Store({
    ...{ bucket: 'any', region: 'us-east-1', endpoint, accessKeyId: 'any', secretAccessKey: 'any', partSize },
    ...{ forcePathStyle: true, checksums: 'crc32', maxObjectSize: 1024 ** 3 },
    ...changes,
  })
  t.teardown(() => store.close())
  return store
}

interface Named {
  Key?: string | undefined
  UploadId?: string | undefined
  VersionId?: string | undefined
}

/** Versions, delete markers and unfinished uploads of exactly this key: MinIO lists uploads of one key, not of a prefix. */
async function listRemains(client: S3Client, Bucket: string, key: string): Promise<string[]> {
  const { Versions = [], DeleteMarkers = [] } = await client.send(
    new ListObjectVersionsCommand({ Bucket, Prefix: key }),
  )
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: key }))
  const named = (kind: string, found: Named[]) =>
    found.filter(({ Key }) => Key === key).map(({ UploadId, VersionId }) => `${kind} ${UploadId ?? VersionId}`)
  return [...named('version', Versions), ...named('marker', DeleteMarkers), ...named('upload', Uploads)]
}
