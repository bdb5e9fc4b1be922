import { HeadObjectCommand } from '@aws-sdk/client-s3'
import type { StoredObject } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { isAbsent } from './errors.ts'
import { translateError } from './told.ts'

/**
 * Size and checksum of an object, or `undefined` when there is none. The answer to a HEAD has no body, so a bucket that
 * is missing looks like an object that is.
 */
export async function headObject(
  { client, bucket, checksums }: S3Bucket,
  key: string,
  signal: AbortSignal,
): Promise<StoredObject | undefined> {
  try {
    const command = new HeadObjectCommand({
      Bucket: bucket,
      Key: key,
      ChecksumMode: checksums ? 'ENABLED' : undefined,
    })
    const { ContentLength, ChecksumCRC32 } = await client.send(command, { abortSignal: signal })
    if (ContentLength === undefined) throw new Error('HeadObject was answered without a Content-Length')
    return { size: ContentLength, checksum: checksums ? ChecksumCRC32 : undefined }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw translateError(error, signal)
  }
}
