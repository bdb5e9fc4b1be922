import { ListMultipartUploadsCommand, ListObjectsV2Command, ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { listingDenied, storeUnavailable } from '#store/errors.ts'
import type { ListEntry, Listing, ListOptions } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { explainFailure, isDenied, isNotImplemented, noneIfAbsent, translateError } from './errors.ts'

/** The position at which a page begins. */
type Marker = Record<string, string | undefined>

/** Requests one page: its entries, and the position of the next page. */
type ListPage = (
  store: S3Bucket,
  from: { Prefix: string | undefined } & Marker,
  abortSignal: AbortSignal,
) => Promise<{ found: S3Entry[]; isTruncated: boolean | undefined; next: Marker }>

/** An entry in the names of S3's responses. */
interface S3Entry {
  Key?: string | undefined
  Size?: number | undefined
  LastModified?: Date | undefined
  Initiated?: Date | undefined
  UploadId?: string | undefined
}

/** Every entry of one kind in the bucket. A key with several versions is listed once a page. */
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
    // S3 filters by prefix, which longer keys have too.
    const wanted = page.found.map(toEntry).filter((entry) => key === undefined || entry.key === key)
    yield [...new Map(wanted.map((entry) => [`${entry.key} ${entry.uploadId}`, entry])).values()]
    from = page.isTruncated ? requireMarker(page.next) : undefined
  }
}

const pages: Record<Listing, { list: ListPage; permission: string }> = {
  objects: { list: listObjects, permission: 's3:ListBucket' },
  versions: { list: listOldVersions, permission: 's3:ListBucketVersions' },
  uploads: { list: listUploads, permission: 's3:ListBucketMultipartUploads' },
}

async function listObjects(...[{ client, bucket }, from, abortSignal]: Parameters<ListPage>): ReturnType<ListPage> {
  const response = await client.send(new ListObjectsV2Command({ Bucket: bucket, ...from }), { abortSignal })
  const next = { ContinuationToken: response.NextContinuationToken }
  return { found: response.Contents ?? [], isTruncated: response.IsTruncated, next }
}

/** Versions except the latest of each key, which is the object itself. Without versioning, each object is its only version. */
async function listOldVersions(...[{ client, bucket }, from, abortSignal]: Parameters<ListPage>): ReturnType<ListPage> {
  const response = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...from }), { abortSignal })
  const old = response.Versions?.filter(({ IsLatest }) => !IsLatest) ?? []
  const next = { KeyMarker: response.NextKeyMarker, VersionIdMarker: response.NextVersionIdMarker }
  return { found: [...old, ...(response.DeleteMarkers ?? [])], isTruncated: response.IsTruncated, next }
}

async function listUploads(...[{ client, bucket }, from, abortSignal]: Parameters<ListPage>): ReturnType<ListPage> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, ...from })
  const response = await client.send(command, { abortSignal }).catch(noneIfAbsent)
  const next = { KeyMarker: response.NextKeyMarker, UploadIdMarker: response.NextUploadIdMarker }
  return { found: response.Uploads ?? [], isTruncated: response.IsTruncated, next }
}

function toEntry({ Key = '', Size, LastModified, Initiated, UploadId }: S3Entry): ListEntry {
  return { key: Key, storedAt: LastModified ?? Initiated ?? new Date(0), size: Size, uploadId: UploadId }
}

/** @throws StowageError `storage_unavailable`, because entries that are left out must not look like missing ones */
function requireMarker(marker: Marker): Marker {
  if (Object.values(marker).some((value) => value)) return marker
  throw storeUnavailable(new Error('The store lists only a part and does not say where the rest begins'))
}
