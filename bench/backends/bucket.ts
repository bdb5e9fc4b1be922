import { randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import type { Backends } from './backends.ts'

/** A bucket of one measurement's own; disposing of it removes it with all that is in it. */
export interface Bucket extends AsyncDisposable {
  name: string
  /** The keys of the objects of so many bytes. */
  keysOf(bytes: number): Promise<string[]>
}

export async function createBucket({ s3Environment }: Backends): Promise<Bucket> {
  const { S3_ENDPOINT, S3_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = s3Environment
  const client = new S3Client({
    endpoint: S3_ENDPOINT,
    region: S3_REGION,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    forcePathStyle: true,
  })
  const name = `bench-${randomBytes(6).toString('hex')}`
  await client.send(new CreateBucketCommand({ Bucket: name }))
  return {
    name,
    async keysOf(bytes) {
      const keys: string[] = []
      for await (const page of pagesOf(client, name))
        keys.push(...page.filter(({ Size }) => Size === bytes).map(({ Key = '' }) => Key))
      return keys
    },
    async [Symbol.asyncDispose]() {
      await empty(client, name)
      await client.send(new DeleteBucketCommand({ Bucket: name }))
      client.destroy()
    },
  }
}

async function* pagesOf(client: S3Client, Bucket: string) {
  let ContinuationToken: string | undefined
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, ContinuationToken }))
    yield page.Contents ?? []
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken !== undefined)
}

async function empty(client: S3Client, Bucket: string): Promise<void> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  for (const { Key, UploadId } of Uploads) await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  for await (const page of pagesOf(client, Bucket)) {
    const Objects = page.map(({ Key }) => ({ Key }))
    if (Objects.length > 0) await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
  }
}
