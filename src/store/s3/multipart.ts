import { crc32 } from 'node:zlib'
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { failpoint } from '#failpoints.ts'
import { base64Of, checksumBytes } from '#store/crc32.ts'
import type { MultipartSession, PutOptions, Stored, StoredPart } from '#store/object-store.ts'
import { durableOffset } from '#store/part-rules.ts'
import { statusOf } from './advice.ts'
import type { S3Bucket } from './bucket.ts'
import { explainPutFailure, translateError } from './errors.ts'
import type { Payload } from './http/payload.ts'
import { whileResponsive } from './http/silence.ts'
import { confirmByHead, isSameChecksum } from './put.ts'

const never = new AbortController().signal

/** Creates the multipart upload of a put, and waits until the caller has recorded its id. */
export async function beginUpload(
  store: S3Bucket,
  key: string,
  partSize: number,
  onUpload: PutOptions['onUpload'],
): Promise<MultipartSession> {
  const session = await createUpload(store, key, partSize)
  await onUpload?.(session.uploadId)
  failpoint('after-upload-id')
  return session
}

/**
 * Creates a multipart upload. It has no signal: an upload whose id did not arrive could only be found by listing.
 * @throws StowageError `storage_unavailable`
 */
export async function createUpload(
  { client, bucket, checksums }: S3Bucket,
  key: string,
  partSize: number,
): Promise<MultipartSession> {
  try {
    const ChecksumAlgorithm = checksums ? 'CRC32' : undefined
    const command = new CreateMultipartUploadCommand({ Bucket: bucket, Key: key, ChecksumAlgorithm })
    failpoint('before-create')
    const { UploadId } = await client.send(command)
    if (UploadId === undefined) throw new Error('CreateMultipartUpload was answered without an UploadId')
    failpoint('after-create')
    return { key, uploadId: UploadId, partSize }
  } catch (error) {
    throw translateError(error, never, explainPutFailure)
  }
}

/**
 * Sends a part. When the result is there, the store has made the bytes durable.
 * @param number from 1
 * @throws the signal's reason, or StowageError `storage_unavailable`
 */
export async function sendPart(
  { dataPlane, checksums }: S3Bucket,
  { key, uploadId }: MultipartSession,
  number: number,
  part: Payload,
  signal: AbortSignal,
): Promise<StoredPart> {
  const query = { partNumber: String(number), uploadId }
  try {
    failpoint('before-part')
    const { etag } = await dataPlane.send({ method: 'PUT', key, query, payload: part, purpose: 'upload', signal })
    failpoint('after-part')
    return { number, size: part.size, checksum: checksums ? base64Of(part.checksum) : undefined, etag }
  } catch (error) {
    throw translateError(error, signal, explainPutFailure)
  }
}

/**
 * Makes an object of the parts.
 * @param parts from 1 on without a gap, in any order
 * @param signal by default none: every byte is in the store, and aborting would only hide whether the object exists
 * @throws StowageError `storage_unavailable`, or the signal's reason
 */
export async function completeUpload(
  store: S3Bucket,
  { key, uploadId }: MultipartSession,
  parts: readonly StoredPart[],
  signal: AbortSignal = never,
): Promise<Stored> {
  const ordered = parts.toSorted((a, b) => a.number - b.number)
  const stored = { size: durableOffset(ordered), checksum: compositeChecksum(ordered) }
  const listed = ordered.map(({ number, etag, checksum }) => ({
    PartNumber: number,
    ETag: etag,
    ChecksumCRC32: checksum,
  }))
  const command = new CompleteMultipartUploadCommand({
    ...{ Bucket: store.bucket, Key: key, UploadId: uploadId, MultipartUpload: { Parts: listed } },
    ...(store.isConditional && { IfNoneMatch: '*' }),
  })
  try {
    failpoint('before-complete')
    const { ETag, ChecksumCRC32 } = await whileResponsive(
      (abortSignal) => store.client.send(command, { abortSignal: AbortSignal.any([signal, abortSignal]) }),
      (abortSignal) => isResponsive(store, abortSignal),
      store.timeouts.silence,
    )
    failpoint('after-complete')
    if (ETag === undefined) throw new Error('CompleteMultipartUpload was answered without an ETag')
    return { ...stored, isConfirmed: isSameChecksum(ChecksumCRC32, stored.checksum) }
  } catch (error) {
    return await confirmByHead(store, key, stored, signal, error)
  }
}

/**
 * S3's notation for the checksum of a multipart object: the checksum of the parts' checksums, and the number of parts.
 * `undefined` when the parts have no checksums.
 */
function compositeChecksum(parts: readonly StoredPart[]): string | undefined {
  const checksums = parts.map(({ checksum }) => checksum).filter((checksum) => checksum !== undefined)
  if (checksums.length < parts.length) return undefined
  const bytes = Buffer.concat(checksums.map((checksum) => Buffer.from(checksum, 'base64')))
  return `${base64Of(checksumBytes(crc32(bytes)))}-${parts.length}`
}

/** Whether the store responds; a refusal is a response too. */
async function isResponsive({ dataPlane }: S3Bucket, signal: AbortSignal): Promise<boolean> {
  try {
    await dataPlane.send({ method: 'HEAD', purpose: 'question', signal })
    return true
  } catch (error) {
    return statusOf(error) !== undefined
  }
}
