import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  S3Client,
} from '@aws-sdk/client-s3'
import type { Test } from 'tap'
import { reasonWithout } from './programs.ts'
import { nameOfTestFile } from './test-file.ts'

/** Address and credentials of an S3 server. */
export interface S3Access {
  endpoint: string
  region: string
  accessKeyId: string
  secretAccessKey: string
}

/** A bucket of one test file's own. */
export interface TestBucket extends S3Access {
  bucket: string
  /** The keys of all objects, old versions included, and of all unfinished multipart uploads. */
  remains(): Promise<{ objects: string[]; uploads: string[] }>
}

/** For the `skip` option of S3 tests: the reason when `npm test` could not find an S3 server, and said so. */
export const skipWithoutS3: string | false = process.env.TEST_S3 === 'none' && reasonWithout('an S3 server')

/** How often a bucket is emptied before it counts as stuck: what a test left in flight can still arrive. */
const deleteAttempts = 20

/** Makes an empty bucket for this test file. It is emptied and deleted when the test ends. */
export async function createTestBucket(t: Test): Promise<TestBucket> {
  const access = readEnvironment()
  const client = openS3Client(access)
  const bucket = `test-${nameOfTestFile('-')}-${randomBytes(4).toString('hex')}`
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  t.teardown(async () => {
    await deleteBucket(client, bucket)
    client.destroy()
  })
  return {
    bucket,
    ...access,
    async remains() {
      const objects = (await listVersions(client, bucket)).filter(({ isDeleteMarker }) => !isDeleteMarker)
      const uploads = await listUploads(client, bucket)
      return { objects: objects.map(({ Key }) => Key), uploads: uploads.map(({ Key }) => Key) }
    },
  }
}

/** The settings, by their names in the environment, of a server that keeps its objects in a bucket. */
export function bucketSettings({
  bucket,
  endpoint,
  region,
  accessKeyId,
  secretAccessKey,
}: S3Access & { bucket: string }) {
  return {
    S3_BUCKET: bucket,
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
}

/** The caller destroys the client. */
export function openS3Client({ endpoint, region, accessKeyId, secretAccessKey }: S3Access): S3Client {
  return new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true })
}

function readEnvironment(): S3Access {
  const { S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env
  if (!S3_ENDPOINT || !AWS_REGION || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    throw new Error('No S3 server to test with. Run this file with: npm test -- test/that.test.ts')
  }
  return {
    endpoint: S3_ENDPOINT,
    region: AWS_REGION,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
  }
}

async function listVersions(client: S3Client, Bucket: string) {
  const found: { Key: string; VersionId: string | undefined; isDeleteMarker: boolean }[] = []
  let page: ListObjectVersionsCommandOutput | undefined
  do {
    const from = { KeyMarker: page?.NextKeyMarker, VersionIdMarker: page?.NextVersionIdMarker }
    page = await client.send(new ListObjectVersionsCommand({ Bucket, ...from }))
    const { Versions = [], DeleteMarkers = [] } = page
    for (const { Key = '', VersionId } of Versions) found.push({ Key, VersionId, isDeleteMarker: false })
    for (const { Key = '', VersionId } of DeleteMarkers) found.push({ Key, VersionId, isDeleteMarker: true })
  } while (page.IsTruncated)
  return found
}

async function listUploads(client: S3Client, Bucket: string) {
  const found: { Key: string; UploadId: string }[] = []
  let page: ListMultipartUploadsCommandOutput | undefined
  do {
    const from = { KeyMarker: page?.NextKeyMarker, UploadIdMarker: page?.NextUploadIdMarker }
    page = await client.send(new ListMultipartUploadsCommand({ Bucket, ...from }))
    for (const { Key = '', UploadId = '' } of page.Uploads ?? []) found.push({ Key, UploadId })
  } while (page.IsTruncated)
  return found
}

async function deleteBucket(client: S3Client, Bucket: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await empty(client, Bucket)
      await client.send(new DeleteBucketCommand({ Bucket }))
      return
    } catch (error) {
      if (attempt === deleteAttempts) throw error
      await delay(100)
    }
  }
}

async function empty(client: S3Client, Bucket: string): Promise<void> {
  for (const { Key, UploadId } of await listUploads(client, Bucket)) {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  }
  for (const { Key, VersionId } of await listVersions(client, Bucket)) {
    await client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }))
  }
}
