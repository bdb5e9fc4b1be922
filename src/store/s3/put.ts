import { PutObjectCommand } from '@aws-sdk/client-s3'
import { failpoint } from '#failpoints.ts'
import type { Stored } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { abortAfterResponse, confirmByHead, isSameChecksum } from './confirm.ts'
import { asBody, base64Of, type Payload } from './payload.ts'

/** Stores an object in a single request. @throws the signal's reason, or StowageError `storage_unavailable` */
export async function putObject(store: S3Bucket, key: string, payload: Payload, signal: AbortSignal): Promise<Stored> {
  const { client, bucket: Bucket, checksums, writing } = store
  const stored = () => ({ size: payload.size, checksum: checksums ? base64Of(payload.checksum) : undefined })
  try {
    const command = new PutObjectCommand({ Bucket, Key: key, Body: asBody(payload), ...writing })
    failpoint('before-put')
    const { ChecksumCRC32 } = await abortAfterResponse(signal, (abortSignal) => client.send(command, { abortSignal }))
    failpoint('after-put')
    return { ...stored(), isConfirmed: isSameChecksum(ChecksumCRC32, stored().checksum) }
  } catch (error) {
    return await confirmByHead(store, key, stored(), signal, error)
  }
}
