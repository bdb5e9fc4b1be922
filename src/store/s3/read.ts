import { addAbortSignal, type Readable } from 'node:stream'
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { objectNotFound } from '#store/errors.ts'
import type { GetOptions, StoredObject } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { isAbsent, translateError } from './errors.ts'
import { inBackground } from './http.ts'

/**
 * Size and checksum of an object, or `undefined` when there is none. The response to a HEAD request has no body, so a missing
 * bucket looks like a missing object.
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

/**
 * The bytes of an object, or a range of them. The stream is Node's HTTP response: destroying it closes the socket, and it
 * fails with `ECONNRESET` when the store sends less than its Content-Length.
 * @throws StowageError `not_found`, or `storage_unavailable`, also when the object ends before the range does
 */
export async function readObject(
  { client, bucket }: S3Bucket,
  key: string,
  { range, signal, isInBackground = false }: GetOptions,
): Promise<Readable> {
  const Range = range && `bytes=${range.first}-${range.last}`
  try {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, Range })
    const { Body, ContentLength } = await client.send(command, {
      abortSignal: signal,
      ...(isInBackground && inBackground),
    })
    const body = Body as Readable
    if (range && ContentLength !== range.last - range.first + 1) {
      body.destroy()
      throw new Error(`The store answered ${ContentLength} bytes to ${Range}`)
    }
    // On abort the SDK only drops the request. The bytes already read would then end like a complete object.
    return addAbortSignal(signal, body)
  } catch (error) {
    throw isAbsent(error) ? objectNotFound(error) : translateError(error, signal)
  }
}
