import type { PutOptions } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'

/** One body on its way to one key. */
export interface UploadTask {
  store: S3Bucket
  key: string
  body: AsyncIterable<Uint8Array>
  /** Aborts when the caller gives up, and by `fail`. */
  signal: AbortSignal
  /** Breaks off whatever is being sent. */
  fail(error: unknown): void
  onUpload: PutOptions['onUpload']
}
