import { addAbortSignal, type Readable } from 'node:stream'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { objectNotFound } from '#store/errors.ts'
import type { GetOptions } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { isAbsent } from './errors.ts'
import { inBackground } from './http.ts'
import { translateError } from './told.ts'

/**
 * The bytes of an object, or a range of them. The stream is Node's own http answer: destroying it closes the socket, and
 * when the store sends less than its Content-Length it fails with `ECONNRESET`.
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
    // On abort the SDK only lets go of the request, and what was already read would end as if it were all.
    return addAbortSignal(signal, body)
  } catch (error) {
    throw isAbsent(error) ? objectNotFound(error) : translateError(error, signal)
  }
}
