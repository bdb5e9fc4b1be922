import { addAbortSignal, type Readable } from 'node:stream'
import { objectNotFound } from '#store/errors.ts'
import type { GetOptions, StoredObject } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { isAbsent, translateError } from './errors.ts'

/**
 * Size and checksum of an object, or `undefined` when there is none. The response to a HEAD request has no body, so a missing
 * bucket looks like a missing object.
 */
export async function headObject(
  { dataPlane, checksums }: S3Bucket,
  key: string,
  signal: AbortSignal,
): Promise<StoredObject | undefined> {
  const headers = checksums ? { 'x-amz-checksum-mode': 'ENABLED' } : {}
  try {
    const answered = await dataPlane.send({ method: 'HEAD', key, headers, purpose: 'question', signal })
    const { 'content-length': size, 'x-amz-checksum-crc32': checksum } = answered
    if (size === undefined) throw new Error('The store answered a HEAD request without a Content-Length')
    return { size: Number(size), checksum: checksums ? (checksum as string | undefined) : undefined }
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
  { dataPlane }: S3Bucket,
  key: string,
  { range, signal, isInBackground = false }: GetOptions,
): Promise<Readable> {
  const headers = range ? { range: `bytes=${range.first}-${range.last}` } : {}
  const purpose = isInBackground ? 'background' : 'read'
  try {
    const body = await dataPlane.open({ method: 'GET', key, headers, purpose, signal })
    const size = body.headers['content-length']
    if (range && Number(size) !== range.last - range.first + 1) {
      body.destroy()
      throw new Error(`The store answered ${size} bytes to ${headers.range}`)
    }
    // Bytes that have already been read must not end like a complete object.
    return addAbortSignal(signal, body)
  } catch (error) {
    throw isAbsent(error) ? objectNotFound(error) : translateError(error, signal)
  }
}
