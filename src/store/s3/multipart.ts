import { crc32 } from 'node:zlib'
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { failpoint } from '#failpoints.ts'
import type { PutOptions, Stored } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { whileStoreAnswers } from './completion.ts'
import { abortAfterResponse, confirmByHead, isSameChecksum } from './confirm.ts'
import { asBody, base64Of, checksumBytes, type Payload } from './payload.ts'
import { explainPutFailure, translateError } from './told.ts'

const never = new AbortController().signal

/** One multipart upload: begun by its first part, made an object by `complete`. */
export class MultipartUpload {
  readonly #store: S3Bucket
  readonly #key: string
  readonly #signal: AbortSignal
  readonly #onUpload: PutOptions['onUpload']
  #begun: Promise<string> | undefined
  #size = 0
  readonly #parts: CompletedPart[] = []
  readonly #checksums: Buffer[] = []

  constructor(store: S3Bucket, key: string, signal: AbortSignal, onUpload: PutOptions['onUpload']) {
    this.#store = store
    this.#key = key
    this.#signal = signal
    this.#onUpload = onUpload
  }

  /**
   * Sends a part; the first one begins the upload, the others wait for that.
   * @param number counted from 1
   */
  async send(number: number, part: Payload): Promise<void> {
    this.#signal.throwIfAborted()
    this.#begun ??= this.#begin()
    await this.#sendPart(await this.#begun, number, part)
  }

  /** Makes the object of the parts sent. The signal does not matter any more: every byte is in the store. */
  async complete(): Promise<Stored> {
    const { client, bucket: Bucket, checksums, writing } = this.#store
    const stored = { size: this.#size, checksum: checksums ? this.#compositeChecksum() : undefined }
    try {
      const command = new CompleteMultipartUploadCommand({
        Bucket,
        Key: this.#key,
        UploadId: await this.#begun,
        MultipartUpload: { Parts: this.#parts },
        ...writing,
      })
      failpoint('before-complete')
      const send = (abortSignal: AbortSignal) => client.send(command, { abortSignal })
      const { ETag, ChecksumCRC32 } = await whileStoreAnswers(this.#store, send)
      failpoint('after-complete')
      if (ETag === undefined) throw new Error('CompleteMultipartUpload was answered without an ETag')
      return { ...stored, isConfirmed: isSameChecksum(ChecksumCRC32, stored.checksum) }
    } catch (error) {
      return await confirmByHead(this.#store, this.#key, stored, never, error)
    }
  }

  async #begin(): Promise<string> {
    failpoint('before-create')
    const uploadId = await this.#create()
    failpoint('after-create')
    await this.#onUpload?.(uploadId)
    failpoint('after-upload-id')
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
      throw translateError(error, never, explainPutFailure)
    }
  }

  async #sendPart(UploadId: string, PartNumber: number, part: Payload): Promise<void> {
    const { client, bucket: Bucket, checksums } = this.#store
    try {
      const command = new UploadPartCommand({ Bucket, Key: this.#key, UploadId, PartNumber, Body: asBody(part) })
      failpoint('before-part')
      const { ETag } = await abortAfterResponse(this.#signal, (abortSignal) => client.send(command, { abortSignal }))
      failpoint('after-part')
      const ChecksumCRC32 = checksums ? base64Of(part.checksum) : undefined
      this.#parts[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 }
      this.#checksums[PartNumber - 1] = part.checksum
      this.#size += part.size
    } catch (error) {
      throw translateError(error, this.#signal, explainPutFailure)
    }
  }

  /** S3's notation for an object of several parts: the checksum of the parts' checksums, and their number. */
  #compositeChecksum(): string {
    const checksum = checksumBytes(crc32(Buffer.concat(this.#checksums)))
    return `${base64Of(checksum)}-${this.#checksums.length}`
  }
}
