import { ListMultipartUploadsCommand, ListObjectsV2Command, ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { listingDenied, storeUnavailable } from '#store/errors.ts'
import type { ListEntry, Listing, ListOptions } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { isDenied, isNotImplemented, noneIfAbsent } from './errors.ts'
import { explainFailure, translateError } from './told.ts'

/** Where a page begins. */
type Marker = Record<string, string | undefined>

/** One request for a page: what is on it, and where the next one begins. */
type ListPage = (
  store: S3Bucket,
  from: { Prefix: string | undefined } & Marker,
  abortSignal: AbortSignal,
) => Promise<{ found: S3Entry[]; isTruncated: boolean | undefined; next: Marker }>

/** What the answers call what they list. */
interface S3Entry {
  Key?: string | undefined
  Size?: number | undefined
  LastModified?: Date | undefined
  Initiated?: Date | undefined
  UploadId?: string | undefined
}

/** What the bucket holds, by whoever put it there; of a key's versions, one a page. */
export async function* listBucket(
  store: S3Bucket,
  listing: Listing,
  { key, signal }: ListOptions,
): AsyncGenerator<ListEntry[], void, undefined> {
  const { list, permission } = pages[listing]
  const explain = (error: unknown) =>
    isDenied(error) || isNotImplemented(error) ? listingDenied(permission, error) : explainFailure(error)
  let from: Marker | undefined = {}
  while (from) {
    const page: Awaited<ReturnType<ListPage>> = await list(store, { Prefix: key, ...from }, signal).catch((error) => {
      throw translateError(error, signal, explain)
    })
    // A prefix is all S3 can be asked for, and longer keys have it too.
    const wanted = page.found.map(toListed).filter((listed) => key === undefined || listed.key === key)
    yield [...new Map(wanted.map((listed) => [`${listed.key} ${listed.uploadId}`, listed])).values()]
    from = page.isTruncated ? requireMarker(page.next) : undefined
  }
}

const pages: Record<Listing, { list: ListPage; permission: string }> = {
  objects: { list: listObjects, permission: 's3:ListBucket' },
  versions: { list: listOldVersions, permission: 's3:ListBucketVersions' },
  uploads: { list: listUploads, permission: 's3:ListBucketMultipartUploads' },
}

async function listObjects(...[{ client, bucket }, from, abortSignal]: Parameters<ListPage>): ReturnType<ListPage> {
  const answer = await client.send(new ListObjectsV2Command({ Bucket: bucket, ...from }), { abortSignal })
  const next = { ContinuationToken: answer.NextContinuationToken }
  return { found: answer.Contents ?? [], isTruncated: answer.IsTruncated, next }
}

/** The latest version of a key is the object itself; a bucket that keeps no versions names each object as its only one. */
async function listOldVersions(...[{ client, bucket }, from, abortSignal]: Parameters<ListPage>): ReturnType<ListPage> {
  const answer = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...from }), { abortSignal })
  const old = answer.Versions?.filter(({ IsLatest }) => !IsLatest) ?? []
  const next = { KeyMarker: answer.NextKeyMarker, VersionIdMarker: answer.NextVersionIdMarker }
  return { found: [...old, ...(answer.DeleteMarkers ?? [])], isTruncated: answer.IsTruncated, next }
}

async function listUploads(...[{ client, bucket }, from, abortSignal]: Parameters<ListPage>): ReturnType<ListPage> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, ...from })
  const answer = await client.send(command, { abortSignal }).catch(noneIfAbsent)
  const next = { KeyMarker: answer.NextKeyMarker, UploadIdMarker: answer.NextUploadIdMarker }
  return { found: answer.Uploads ?? [], isTruncated: answer.IsTruncated, next }
}

function toListed({ Key = '', Size, LastModified, Initiated, UploadId }: S3Entry): ListEntry {
  return { key: Key, storedAt: LastModified ?? Initiated ?? new Date(0), size: Size, uploadId: UploadId }
}

/** @throws StowageError `storage_unavailable`: what is left out must not look as if it were not there */
function requireMarker(marker: Marker): Marker {
  if (Object.values(marker).some((value) => value)) return marker
  throw storeUnavailable(new Error('The store lists only a part and does not say where the rest begins'))
}
