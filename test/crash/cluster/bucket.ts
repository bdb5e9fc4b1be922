import { createHash } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3'

/** Where the store is, and who we are there. */
export interface StoreAccess {
  endpoint: string
  region: string
  accessKeyId: string
  secretAccessKey: string
}

/** A bucket as its owner sees it, past everything that a campaign puts before it. */
export interface Bucket extends Disposable {
  name: string
  /** What lies in it: objects, old versions and markers of deleted ones too, and unfinished uploads. */
  list(): Promise<{ objects: Remains[]; uploads: Remains[] }>
  /** `undefined` when there is no such object. */
  digest(key: string): Promise<{ size: number; sha256: string } | undefined>
}

export interface Remains {
  key: string
  /** What tells it from others of the same key. */
  what: string
}

export async function createBucket(access: StoreAccess, name: string, isVersioned: boolean): Promise<Bucket> {
  const { endpoint, region, ...credentials } = access
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: name }))
  const VersioningConfiguration = { Status: 'Enabled' } as const
  if (isVersioned) await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }))
  return {
    name,
    async list() {
      const [objects, uploads] = await Promise.all([listObjects(client, name), listUploads(client, name)])
      return { objects, uploads }
    },
    digest: (key) => digest(client, name, key),
    [Symbol.dispose]: () => client.destroy(),
  }
}

async function listObjects(client: S3Client, Bucket: string): Promise<Remains[]> {
  const found: Remains[] = []
  let page: ListObjectVersionsCommandOutput | undefined
  do {
    const from = { KeyMarker: page?.NextKeyMarker, VersionIdMarker: page?.NextVersionIdMarker }
    page = await client.send(new ListObjectVersionsCommand({ Bucket, ...from }))
    const { Versions = [], DeleteMarkers = [] } = page
    for (const { Key = '', VersionId } of Versions) found.push({ key: Key, what: `version ${VersionId}` })
    for (const { Key = '', VersionId } of DeleteMarkers) found.push({ key: Key, what: `delete marker ${VersionId}` })
  } while (page.IsTruncated)
  return found
}

/** MinIO lists them for a whole bucket or for one exact key, not for a prefix. */
async function listUploads(client: S3Client, Bucket: string): Promise<Remains[]> {
  const found: Remains[] = []
  let page: ListMultipartUploadsCommandOutput | undefined
  do {
    const from = { KeyMarker: page?.NextKeyMarker, UploadIdMarker: page?.NextUploadIdMarker }
    page = await client.send(new ListMultipartUploadsCommand({ Bucket, ...from }))
    for (const { Key = '', UploadId } of page.Uploads ?? []) found.push({ key: Key, what: `upload ${UploadId}` })
  } while (page.IsTruncated)
  return found
}

async function digest(client: S3Client, Bucket: string, Key: string) {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of Body as AsyncIterable<Buffer>) {
      hash.update(chunk)
      size += chunk.length
    }
    return { size, sha256: hash.digest('hex') }
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return undefined
    throw error
  }
}
