import { crc32 } from 'node:zlib'
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { PutOptions, StoredObject } from './object-store.ts'
import { type Part, partsOf } from './parts.ts'
import type { S3Bucket } from './s3-bucket.ts'
import { toldAs } from './s3-errors.ts'
import { headObject } from './s3-head.ts'
import { notStored } from './unavailable.ts'
import { untilAborted } from './until-aborted.ts'

const never = new AbortController().signal

/** Parts under way while the next is collected, so an upload holds three part buffers at most. */
const maxSending = 2

/** Milliseconds for the question whether an object is there after all. */
const afterThoughtTimeout = 5_000

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
  const checksum = checksums ? part.crc32.toString('base64') : undefined
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

class MultipartUpload {
  readonly #store: S3Bucket
  readonly #key: string
  readonly #signal: AbortSignal
  readonly #onUpload: PutOptions['onUpload']
  #begun: Promise<string> | undefined
  #size = 0
  readonly #parts: (CompletedPart & { crc32: Buffer })[] = []

  constructor(store: S3Bucket, key: string, signal: AbortSignal, onUpload: PutOptions['onUpload']) {
    this.#store = store
    this.#key = key
    this.#signal = signal
    this.#onUpload = onUpload
  }

  /** Sends a part and releases it; the first one begins the upload, the others wait for that. */
  async send(part: Part): Promise<void> {
    try {
      this.#signal.throwIfAborted()
      this.#begun ??= this.#begin()
      await this.#sendPart(await this.#begun, part)
    } finally {
      part.release()
    }
  }

  /** Makes the object of the parts sent. The signal does not matter any more: every byte is in the store. */
  async complete(): Promise<StoredObject> {
    const { client, bucket: Bucket, checksums } = this.#store
    const stored = { size: this.#size, checksum: checksums ? this.#compositeChecksum() : undefined }
    try {
      const Parts = this.#parts.map(({ crc32: _, ...part }) => part)
      const command = new CompleteMultipartUploadCommand({
        Bucket,
        Key: this.#key,
        UploadId: await this.#begun,
        MultipartUpload: { Parts },
      })
      const { ETag } = await client.send(command)
      if (ETag === undefined) throw new Error('CompleteMultipartUpload was answered without an ETag')
      return stored
    } catch (error) {
      return await storedAfterAll(this.#store, this.#key, stored, never, error)
    }
  }

  async #begin(): Promise<string> {
    const uploadId = await this.#create()
    await this.#onUpload?.(uploadId)
    return uploadId
  }

  /** Not aborted by the signal: an upload whose id never reached us could not be named, and so not be removed. */
  async #create(): Promise<string> {
    const { client, bucket: Bucket, checksums } = this.#store
    try {
      const ChecksumAlgorithm = checksums ? 'CRC32' : undefined
      const command = new CreateMultipartUploadCommand({ Bucket, Key: this.#key, ChecksumAlgorithm })
      const { UploadId } = await client.send(command)
      if (UploadId === undefined) throw new Error('CreateMultipartUpload was answered without an UploadId')
      return UploadId
    } catch (error) {
      throw notStored(error)
    }
  }

  async #sendPart(UploadId: string, { number: PartNumber, bytes, crc32 }: Part): Promise<void> {
    const { client, bucket: Bucket, checksums } = this.#store
    const ChecksumCRC32 = checksums ? crc32.toString('base64') : undefined
    try {
      const command = new UploadPartCommand({
        Bucket,
        Key: this.#key,
        UploadId,
        PartNumber,
        Body: bytes,
        ChecksumCRC32,
      })
      const { ETag } = await whileSending(this.#signal, (abortSignal) => client.send(command, { abortSignal }))
      this.#parts[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32, crc32 }
      this.#size += bytes.length
    } catch (error) {
      throw toldAs(error, this.#signal, notStored)
    }
  }

  /** S3's notation for an object of several parts: the checksum of the parts' checksums, and their number. */
  #compositeChecksum(): string {
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32BE(crc32(Buffer.concat(this.#parts.map((part) => part.crc32))))
    return `${checksum.toString('base64')}-${this.#parts.length}`
  }
}

/**
 * Sends a buffer. A store may answer, and the SDK be content, before the whole buffer has left; such a connection is
 * closed, so that nobody else's bytes are in the buffer while it is still being sent.
 */
async function whileSending<T>(signal: AbortSignal, send: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
  const answered = new AbortController()
  try {
    return await send(AbortSignal.any([signal, answered.signal]))
  } finally {
    answered.abort()
  }
}

/**
 * A request that makes an object can fail although the object exists: when its answer is lost, or when it succeeded once
 * and is then, tried again, told that there is no such upload. So the object itself is asked for.
 * @throws what `error` is told as, when the object is not there
 */
async function storedAfterAll(
  store: S3Bucket,
  key: string,
  expected: StoredObject,
  signal: AbortSignal,
  error: unknown,
): Promise<StoredObject> {
  if (!signal.aborted) {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(afterThoughtTimeout)])
    const found = await headObject(store, key, patience).catch(() => undefined)
    if (found !== undefined && isSame(found, expected)) return expected
  }
  throw toldAs(error, signal, notStored)
}

function isSame(found: StoredObject, expected: StoredObject): boolean {
  return found.size === expected.size && (found.checksum ?? expected.checksum) === expected.checksum
}
