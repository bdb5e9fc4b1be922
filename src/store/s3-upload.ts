import { PutObjectCommand } from '@aws-sdk/client-s3'
import { untilAborted } from '../until-aborted.ts'
import type { PutOptions, StoredObject } from './object-store.ts'
import { type Part, partsOf } from './parts.ts'
import type { S3Bucket } from './s3-bucket.ts'
import { storedAfterAll, whileSending } from './s3-delivery.ts'
import { MultipartUpload } from './s3-multipart.ts'

/** Parts under way while the next is collected, so an upload holds three part buffers at most. */
const maxSending = 2

/**
 * Stores a body of unknown length: one that fits a part in a single request, a longer one as a multipart upload whose
 * parts all have the same size except the last. However it ends, nothing is being sent any more when it does.
 * @throws the body's own error, the signal's reason, or StowageError `storage_unavailable`
 */
export async function upload(
  store: S3Bucket,
  key: string,
  body: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<StoredObject> {
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])
  const multipart = new MultipartUpload(store, key, signal, options.onUpload)
  const sending = new Set<Promise<void>>()
  try {
    for await (const part of partsOf(untilAborted(body, signal), store.buffers)) {
      if (part.number === 1 && part.isLast) return await putObject(store, key, part, signal)
      while (sending.size === maxSending) await Promise.race(sending)
      const sent: Promise<void> = multipart
        .send(part)
        .catch((error) => failure.abort(error))
        .finally(() => sending.delete(sent))
      sending.add(sent)
    }
    await Promise.all(sending)
    signal.throwIfAborted()
    return await multipart.complete()
  } catch (error) {
    failure.abort(error)
    throw error
  } finally {
    await Promise.all(sending)
  }
}

async function putObject(store: S3Bucket, key: string, part: Part, signal: AbortSignal): Promise<StoredObject> {
  const { client, bucket: Bucket, checksums } = store
  const checksum = checksums ? part.checksum.toString('base64') : undefined
  const stored = { size: part.bytes.length, checksum }
  try {
    const command = new PutObjectCommand({ Bucket, Key: key, Body: part.bytes, ChecksumCRC32: checksum })
    await whileSending(signal, (abortSignal) => client.send(command, { abortSignal }))
    return stored
  } catch (error) {
    return await storedAfterAll(store, key, stored, signal, error)
  } finally {
    part.release()
  }
}
