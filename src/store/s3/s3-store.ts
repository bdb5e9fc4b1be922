import { HeadBucketCommand } from '@aws-sdk/client-s3'
import type { ObjectStore } from '#store/object-store.ts'
import { openBucket, type S3Bucket, type S3StoreOptions } from './bucket.ts'
import { explainCheck } from './errors.ts'
import { headObject } from './head.ts'
import { listBucket } from './list.ts'
import { readObject } from './read.ts'
import { removeObject } from './remove.ts'
import { translateError } from './told.ts'
import { upload } from './upload.ts'

export type { S3StoreOptions } from './bucket.ts'

const never = new AbortController().signal

/** The store on a bucket of S3, or of a server that speaks its protocol. Opening it sends nothing: see `check`. */
export function openS3Store(options: S3StoreOptions): ObjectStore {
  const store = openBucket(options)
  const place = options.endpoint === undefined ? `AWS ${options.region}` : new URL(options.endpoint).origin
  return {
    description: `S3 bucket ${options.bucket} at ${place}`,
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

async function checkBucket({ client, bucket }: S3Bucket, place: string, signal: AbortSignal): Promise<void> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal })
  } catch (error) {
    throw translateError(error, signal, (cause) => explainCheck(cause, bucket, place))
  }
}
