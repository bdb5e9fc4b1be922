import type { ObjectStore, PutOptions, Stored } from '#store/object-store.ts'
import { openBucket, type S3Bucket, type S3StoreOptions } from './bucket.ts'
import { uploadBuffered } from './buffered-upload.ts'
import { explainCheck, translateError } from './errors.ts'
import { listBucket } from './list.ts'
import { openS3Multipart } from './multipart-store.ts'
import { putObject } from './put.ts'
import { headObject, readObject } from './read.ts'
import { removeObject } from './remove.ts'
import { uploadStreaming } from './streaming-upload.ts'
import { sendSized, transfer } from './transfer.ts'

export type { S3StoreOptions } from './bucket.ts'

const never = new AbortController().signal

/** The store on a bucket of S3, or of a server with the same protocol. Opening it sends no request: see `check`. */
export function openS3Store(options: S3StoreOptions): ObjectStore {
  const store = openBucket(options)
  const place = options.endpoint === undefined ? `AWS ${options.region}` : new URL(options.endpoint).origin
  return {
    description: `S3 bucket ${options.bucket} at ${place}`,
    multipart: openS3Multipart(store),
    put: (key, body, putOptions) => upload(store, key, body, putOptions),
    head: (key, { signal = never } = {}) => headObject(store, key, signal),
    get: (key, getOptions) => readObject(store, key, getOptions),
    remove: (key, { uploadId, signal = never } = {}) => removeObject(store, key, { uploadId, signal }),
    list: (listing, options) => listBucket(store, listing, options),
    check: (signal) => checkBucket(store, place, signal),
    async close() {
      store.client.destroy()
      store.buffers.clear()
    },
  }
}

/**
 * Stores a body: one of unknown length is collected in parts, one of known length is sent in a single request, or in several
 * where one cannot be so long. When the result is there, no request is in progress.
 * @throws the body's own error, the signal's reason, or StowageError `storage_unavailable`
 */
export async function upload(
  store: S3Bucket,
  key: string,
  body: AsyncIterable<Uint8Array>,
  { signal, size, ...options }: PutOptions,
): Promise<Stored> {
  return await transfer(body, signal, async (running) => {
    if (size === undefined) return await uploadBuffered(store, key, running, options)
    if (size > store.largestRequest)
      return await uploadStreaming(store, key, running, { size, onUpload: options.onUpload })
    return await sendSized(store, running, size, (payload) => putObject(store, key, payload, running.signal))
  })
}

async function checkBucket({ dataPlane, bucket }: S3Bucket, place: string, signal: AbortSignal): Promise<void> {
  try {
    await dataPlane.send({ method: 'HEAD', purpose: 'question', signal })
  } catch (error) {
    throw translateError(error, signal, (cause) => explainCheck(cause, bucket, place))
  }
}
