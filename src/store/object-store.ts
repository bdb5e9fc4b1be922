import type { Readable } from 'node:stream'
import type { MultipartStore } from './multipart-store.ts'
import type { ByteRange, ListEntry, Listing, Stored, StoredObject } from './stored-object.ts'

export type { MultipartSession, MultipartStore, StoredPart } from './multipart-store.ts'
export type { ByteRange, ListEntry, Listing, Stored, StoredObject } from './stored-object.ts'

export interface PutOptions {
  /** Aborts the transfer; the put then rejects with the signal's reason. After the last byte an abort may have no effect. */
  signal: AbortSignal
  /**
   * The exact length of the body in bytes, when it is known. The store counts: a body of another length fails, and no
   * object appears. A body of known length needs no buffering in parts, which costs the least memory and CPU, but bytes
   * already sent cannot be sent again when the store fails in the middle. Its chunks are passed on without a copy, so they
   * must not change afterwards.
   */
  size?: number | undefined
  /** The most bytes the body can have, when that is known and `size` is not. A hint, which the store does not check. */
  atMost?: number | undefined
  /**
   * Called once, and awaited, after the store has created a multipart upload and before the first part is sent. The
   * caller records the id, so that a crash leaves no upload whose id is unknown.
   */
  onUpload?: (uploadId: string) => Promise<void>
}

export interface GetOptions {
  range?: ByteRange
  signal: AbortSignal
  /** No client waits for this read, so it does not compete with clients for connections. */
  isInBackground?: boolean
}

export interface ListOptions {
  /** Only the entries of exactly this key. */
  key?: string | undefined
  signal: AbortSignal
}

/**
 * The port to the place where the bytes are kept. Its words are those of Apache arrow-rs `object_store`. The caller chooses the
 * keys; a key matches `[a-z0-9/]+` and is never written twice. Every method rejects with a {@link StowageError}
 * `storage_unavailable` when the store cannot be reached or refuses the request. `test/store/contract.ts` is the
 * behaviour that every adapter must show.
 *
 * The store checks that a body has the length its caller announces, and counts every byte once for that. It knows no
 * other limit and no digest: those are the caller's.
 */
export interface ObjectStore {
  /** The store in a few words for logs and the doctor, without secrets. */
  readonly description: string

  /** Uploads that are made of several calls, in one process or in several. */
  readonly multipart: MultipartStore

  /**
   * Stores every byte of `body` under `key` and resolves when the bytes are durable. Reads the body no faster than the
   * store accepts it. When `body` fails or `signal` aborts, the put rejects with that error and no complete object appears;
   * bytes already sent are left for {@link remove}.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<Stored>

  /** The object under `key`, or `undefined` when there is none. */
  head(key: string, options?: { signal?: AbortSignal }): Promise<StoredObject | undefined>

  /**
   * The bytes of `key`, all of them or `range`. Rejects with `not_found` when there is no such object. Destroying the
   * stream closes the read at the store; so does `signal`.
   */
  get(key: string, options: GetOptions): Promise<Readable>

  /**
   * Removes everything under `key`: the object, its versions, its unfinished uploads and multipart sessions, its
   * temporary files. A second removal, or the removal of a key that never existed, is no error.
   */
  remove(key: string, options?: { uploadId?: string | undefined; signal?: AbortSignal }): Promise<void>

  /**
   * Every entry of one kind in the store, whichever program put it there, unordered, in pages of about a thousand. An entry
   * that is added or removed during the listing may be listed or not. Rejects with `forbidden` when the store does not allow
   * the listing.
   */
  list(listing: Listing, options: ListOptions): AsyncIterable<ListEntry[]>

  /** Resolves when the store answers and can be used; rejects with a message that says what to fix. */
  check(signal: AbortSignal): Promise<void>

  /** Releases sockets and buffers. No other call may be in progress. */
  close(): Promise<void>
}
