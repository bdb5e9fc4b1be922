import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3'
import { failpoint } from '#failpoints.ts'
import type { S3Bucket } from './bucket.ts'
import { ignoreAbsent, isDenied, isNotImplemented, noneIfAbsent, translateError } from './errors.ts'

export interface RemoveOptions {
  uploadId?: string | undefined
  signal: AbortSignal
}

/**
 * Removes everything under a key: first its unfinished uploads, so that none of them becomes an object afterwards; then the
 * object; then every version and delete marker, where the bucket keeps them.
 * @throws StowageError `storage_unavailable`
 */
export async function removeObject(store: S3Bucket, key: string, options: RemoveOptions): Promise<void> {
  try {
    const [aborted] = await Promise.allSettled([abortUploads(store, key, options)])
    const hasVersions = await deleteObject(store, key, undefined, options)
    await deleteVersions(store, key, hasVersions, options)
    if (aborted.status === 'rejected') throw aborted.reason
  } catch (error) {
    throw translateError(error, options.signal)
  }
}

async function abortUploads(store: S3Bucket, key: string, options: RemoveOptions): Promise<void> {
  if (options.uploadId !== undefined) await abortUpload(store, key, options.uploadId, options)
  try {
    for (const uploadId of await listUploads(store, key, options)) await abortUpload(store, key, uploadId, options)
  } catch (error) {
    const isEnough = isNotImplemented(error) || (isDenied(error) && options.uploadId !== undefined)
    if (!isEnough) throw error
  }
}

/** Removes an unfinished upload and its parts; one that does not exist is no error. @throws the SDK's error */
export async function abortUpload(
  { client, bucket }: S3Bucket,
  key: string,
  UploadId: string,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId })
  failpoint('before-abort')
  await client.send(command, { abortSignal: signal }).catch(ignoreAbsent)
  failpoint('after-abort')
}

/** The ids of the unfinished uploads of exactly this key. S3 lists by prefix, so longer keys are filtered out. */
async function listUploads({ client, bucket }: S3Bucket, key: string, { signal }: RemoveOptions): Promise<string[]> {
  const found: string[] = []
  let page: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {}
  while (page) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket: bucket,
      Prefix: key,
      ...page,
    })
    const listed: Partial<ListMultipartUploadsCommandOutput> = await client
      .send(command, { abortSignal: signal })
      .catch(noneIfAbsent)
    for (const { Key, UploadId } of listed.Uploads ?? []) if (Key === key && UploadId) found.push(UploadId)
    page = listed.IsTruncated
      ? { KeyMarker: listed.NextKeyMarker, UploadIdMarker: listed.NextUploadIdMarker }
      : undefined
  }
  return found
}

/** @returns whether the response shows that the bucket keeps versions; with suspended versioning, some stores do not show it */
async function deleteObject(
  { dataPlane }: S3Bucket,
  key: string,
  versionId: string | undefined,
  { signal }: RemoveOptions,
): Promise<boolean> {
  const query = versionId === undefined ? {} : { versionId }
  failpoint('before-object-delete')
  const deletion = dataPlane.send({ method: 'DELETE', key, query, purpose: 'background', signal })
  const deleted = await deletion.catch(ignoreAbsent)
  failpoint('after-object-delete')
  return deleted?.['x-amz-version-id'] !== undefined || deleted?.['x-amz-delete-marker'] === 'true'
}

async function deleteVersions(
  store: S3Bucket,
  key: string,
  hasVersions: boolean,
  options: RemoveOptions,
): Promise<void> {
  try {
    for (const versionId of await listVersions(store, key, options)) await deleteObject(store, key, versionId, options)
  } catch (error) {
    if (hasVersions || !(isNotImplemented(error) || isDenied(error))) throw error
  }
}

/** The ids of the versions and delete markers of exactly this key. */
async function listVersions({ client, bucket }: S3Bucket, key: string, { signal }: RemoveOptions): Promise<string[]> {
  const found: string[] = []
  let page: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | undefined = {}
  while (page) {
    const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key, ...page })
    const listed = await client.send(command, { abortSignal: signal })
    for (const { Key, VersionId } of [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])])
      if (Key === key && VersionId) found.push(VersionId)
    page = listed.IsTruncated
      ? { KeyMarker: listed.NextKeyMarker, VersionIdMarker: listed.NextVersionIdMarker }
      : undefined
  }
  return found
}
