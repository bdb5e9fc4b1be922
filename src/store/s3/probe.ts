import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, DeleteObjectCommand } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { openBucket, type S3StoreOptions } from './bucket.ts'
import { isDenied, isNotImplemented } from './errors.ts'

const partSize = 5 * 1024 * 1024

/**
 * Sends an object in two parts with the SDK's own uploader, then begins an upload and gives it up: so a bucket that
 * refuses either is told from a fault of ours. Leaves nothing behind.
 */
export async function probeMultipart(options: S3StoreOptions, signal: AbortSignal): Promise<string> {
  const { client, bucket } = openBucket(options)
  const place = { Bucket: bucket, Key: `doctor/${randomBytes(20).toString('hex')}` }
  try {
    const Body = Readable.from([Buffer.alloc(partSize), Buffer.alloc(1)])
    const upload = new Upload({ client, params: { ...place, Body }, partSize, queueSize: 1 })
    signal.addEventListener('abort', () => void upload.abort(), { once: true })
    await upload.done()
    await client.send(new DeleteObjectCommand(place), { abortSignal: signal })
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(place), { abortSignal: signal })
    await client.send(new AbortMultipartUploadCommand({ ...place, UploadId }), { abortSignal: signal })
    return 'works'
  } finally {
    client.destroy()
  }
}

/** A failed probe for the operator: what the store itself said, and what to allow when it denied something. */
export function explainProbe(error: unknown): string {
  const { name, message, cause } = error as Error
  if (cause instanceof Error) return explainProbe(cause)
  return `${name}: ${message}${adviceFor(error)}`
}

function adviceFor(error: unknown): string {
  if (isDenied(error))
    return '. Allow s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads.'
  return isNotImplemented(error) ? '. Set S3_CONDITIONAL_WRITES=false, or S3_CHECKSUMS=off.' : ''
}
